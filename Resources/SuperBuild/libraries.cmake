# counterwarp_superbuild_libraries(OUT): adds an external project for each library that was not found; OUT: their names.
# All are static and position independent, so that the extension carries them inside and no host sees them; a shared
# library of the builder's machine counts as not found.
include(ExternalProject)
list(APPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}/../CMake")
option(COUNTERWARP_SUPERBUILD_ALL "Build every library from source, whatever the machine has" OFF)

set(counterwarp_OpenBLAS_git https://github.com/OpenMathLib/OpenBLAS.git)
set(counterwarp_OpenBLAS_tag v0.3.29)
set(counterwarp_kissfft_git https://github.com/mborgerding/kissfft.git)
set(counterwarp_kissfft_tag 7bce4153c6bc8aba2db0e889e576f9d00505cbe1) # 131.2.0
set(counterwarp_protobuf_git https://github.com/protocolbuffers/protobuf.git)
set(counterwarp_protobuf_tag v21.12) # the last without Abseil
set(counterwarp_protobuf-c_git https://github.com/protobuf-c/protobuf-c.git)
set(counterwarp_protobuf-c_tag 185beed28e65494be7505b30c1afeaf199e19b23) # 1.5.1

# counterwarp_external(NAME [SUBDIR folder] [DEPENDS name..] ARGS -D..)
function(counterwarp_external name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SUBDIR" "DEPENDS;ARGS")
  set(subdir "")
  if(arg_SUBDIR)
    set(subdir SOURCE_SUBDIR "${arg_SUBDIR}")
  endif()
  ExternalProject_Add(${name}
    GIT_REPOSITORY "${counterwarp_${name}_git}"
    GIT_TAG "${counterwarp_${name}_tag}"
    GIT_SHALLOW OFF
    ${subdir}
    PREFIX "${CMAKE_BINARY_DIR}/${name}"
    CMAKE_ARGS -DCMAKE_INSTALL_PREFIX=${PREFIX} -DCMAKE_PREFIX_PATH=${PREFIX} -DCMAKE_INSTALL_LIBDIR=lib
               -DCMAKE_BUILD_TYPE=Release -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DBUILD_SHARED_LIBS=OFF
               -DCMAKE_C_COMPILER=${CMAKE_C_COMPILER} -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} ${arg_ARGS}
    DEPENDS ${arg_DEPENDS})
endfunction()

function(counterwarp_superbuild_libraries out)
  set(built "")
  # With OpenMP: safe from several threads, and no threads of its own.
  find_package(ThreadSafeBlas QUIET)
  if(COUNTERWARP_SUPERBUILD_ALL OR NOT ThreadSafeBlas_STATIC)
    counterwarp_external(OpenBLAS ARGS -DUSE_THREAD=ON -DUSE_OPENMP=ON -DBUILD_WITHOUT_LAPACK=ON -DNOFORTRAN=ON
                                       -DDYNAMIC_ARCH=ON -DBUILD_TESTING=OFF)
    list(APPEND built OpenBLAS)
  endif()
  find_package(kissfft CONFIG QUIET COMPONENTS STATIC) # found without its library too, where that is shared
  if(COUNTERWARP_SUPERBUILD_ALL OR NOT TARGET kissfft::kissfft-float)
    counterwarp_external(kissfft ARGS -DKISSFFT_STATIC=ON -DKISSFFT_TEST=OFF -DKISSFFT_TOOLS=OFF)
    list(APPEND built kissfft)
  endif()
  find_program(COUNTERWARP_PROTOC_C protoc-c)
  find_path(COUNTERWARP_PROTOBUF_C_INCLUDE protobuf-c/protobuf-c.h)
  find_library(COUNTERWARP_PROTOBUF_C libprotobuf-c${CMAKE_STATIC_LIBRARY_SUFFIX})
  if(COUNTERWARP_SUPERBUILD_ALL OR NOT COUNTERWARP_PROTOC_C OR NOT COUNTERWARP_PROTOBUF_C_INCLUDE
     OR NOT COUNTERWARP_PROTOBUF_C MATCHES "\\${CMAKE_STATIC_LIBRARY_SUFFIX}$")
    # protobuf is only for the compiler of the schema.
    counterwarp_external(protobuf ARGS -Dprotobuf_BUILD_TESTS=OFF -Dprotobuf_WITH_ZLIB=OFF)
    counterwarp_external(protobuf-c SUBDIR build-cmake DEPENDS protobuf ARGS -DBUILD_TESTS=OFF)
    list(APPEND built protobuf protobuf-c)
  endif()
  set(${out} "${built}" PARENT_SCOPE)
endfunction()
