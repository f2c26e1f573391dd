# Settings shared by every target.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

add_library(counterwarp_settings INTERFACE)
if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
  target_compile_options(counterwarp_settings INTERFACE -Wall -Wextra -Wno-unknown-pragmas
                                                        $<$<COMPILE_LANGUAGE:C>:-Werror=implicit-function-declaration>
                                                        $<$<COMPILE_LANGUAGE:C>:-Werror=int-conversion>
                                                        $<$<COMPILE_LANGUAGE:C>:-Werror=incompatible-pointer-types>)
  # Contraction and reassociation stay as the kernels write them: same bits on one CPU type and build.
  target_compile_options(counterwarp_settings INTERFACE $<$<COMPILE_LANGUAGE:C>:-ffp-contract=fast -fno-math-errno
                                                        -fno-trapping-math>)
endif()
if(COUNTERWARP_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
endif()

if(COUNTERWARP_SANITIZE_THREADS)
  # It does not see how gcc's OpenMP waits for its threads, and finds races that are none.
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
else()
  find_package(OpenMP COMPONENTS C)
endif()
if(NOT OpenMP_C_FOUND AND CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
  # What OpenMP's clauses alone name.
  target_compile_options(counterwarp_settings INTERFACE $<$<COMPILE_LANGUAGE:C>:-Wno-unused-parameter
                                                        -Wno-unused-variable>)
endif()
