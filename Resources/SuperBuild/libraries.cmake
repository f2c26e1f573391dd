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

# Of the command-line modules alone.
set(counterwarp_CLI11_git https://github.com/CLIUtils/CLI11.git)
set(counterwarp_CLI11_tag 291c58789c031208f08f4f261a858b5b7083e8e2) # 2.3.2
set(counterwarp_json_git https://github.com/nlohmann/json.git)
set(counterwarp_json_tag bc889afb4c5bf1c0d8ee29ef35eaaf4c8bef8a5d) # 3.11.2
set(counterwarp_zlib_git https://github.com/madler/zlib.git)
set(counterwarp_zlib_tag 51b7f2abdade71cd9bb0e7a373ef2610ec6f9daf) # 1.3.1
set(counterwarp_nifticlib_git https://github.com/NIFTI-Imaging/nifti_clib.git)
set(counterwarp_nifticlib_tag 96b9954fafcf3bd69a4ee2091b0d707ed2077697) # 3.0.1

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

function(counterwarp_superbuild_cli_libraries out)
  set(built "")
  find_package(CLI11 CONFIG QUIET)
  if(COUNTERWARP_SUPERBUILD_ALL OR NOT CLI11_FOUND)
    counterwarp_external(CLI11 ARGS -DCLI11_BUILD_TESTS=OFF -DCLI11_BUILD_EXAMPLES=OFF -DCLI11_BUILD_DOCS=OFF)
    list(APPEND built CLI11)
  endif()
  find_package(nlohmann_json CONFIG QUIET)
  if(COUNTERWARP_SUPERBUILD_ALL OR NOT nlohmann_json_FOUND)
    counterwarp_external(json ARGS -DJSON_BuildTests=OFF)
    list(APPEND built json)
  endif()
  # Slicer has a zlib, and every system has one to run with.
  find_package(ZLIB QUIET)
  set(zlib "")
  if(COUNTERWARP_SUPERBUILD_ALL OR NOT ZLIB_FOUND)
    counterwarp_external(zlib ARGS -DZLIB_BUILD_EXAMPLES=OFF)
    list(APPEND built zlib)
    set(zlib "-DZLIB_LIBRARY=${PREFIX}/lib/libz${CMAKE_STATIC_LIBRARY_SUFFIX}" "-DZLIB_INCLUDE_DIR=${PREFIX}/include")
  endif()
  find_path(COUNTERWARP_NIFTI_INCLUDE nifti1_io.h PATH_SUFFIXES nifti)
  find_library(COUNTERWARP_NIFTIIO libniftiio${CMAKE_STATIC_LIBRARY_SUFFIX})
  find_library(COUNTERWARP_ZNZ libznz${CMAKE_STATIC_LIBRARY_SUFFIX})
  if(COUNTERWARP_SUPERBUILD_ALL OR NOT COUNTERWARP_NIFTI_INCLUDE OR NOT COUNTERWARP_NIFTIIO OR NOT COUNTERWARP_ZNZ)
    set(depends "")
    if(zlib)
      set(depends zlib)
    endif()
    counterwarp_external(nifticlib DEPENDS ${depends}
      ARGS -DBUILD_TESTING=OFF -DNIFTI_BUILD_APPLICATIONS=OFF -DUSE_NIFTICDF_CODE=OFF -DUSE_NIFTI2_CODE=OFF ${zlib})
    list(APPEND built nifticlib)
  endif()
  set(${out} "${built}" PARENT_SCOPE)
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
  if(COUNTERWARP_BUILD_CLI_MODULES)
    counterwarp_superbuild_cli_libraries(cli)
    list(APPEND built ${cli})
  endif()
  set(${out} "${built}" PARENT_SCOPE)
endfunction()
