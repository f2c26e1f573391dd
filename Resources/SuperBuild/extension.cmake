# The outer build of the extension: the libraries that are missing, then the extension itself in inner-build.
include("${CMAKE_CURRENT_LIST_DIR}/libraries.cmake")
set(PREFIX "${CMAKE_BINARY_DIR}/prefix" CACHE PATH "Where the libraries are installed")
counterwarp_superbuild_libraries(libraries)
message(STATUS "Built from source for the extension: ${libraries}")

set(found "-DCOUNTERWARP_KISSFFT:STRING=STATIC")
if("OpenBLAS" IN_LIST libraries)
  list(APPEND found "-DThreadSafeBlas_LIBRARY:FILEPATH=${PREFIX}/lib/libopenblas${CMAKE_STATIC_LIBRARY_SUFFIX}")
endif()
if("protobuf-c" IN_LIST libraries)
  list(APPEND found "-DCOUNTERWARP_PROTOBUF_C:FILEPATH=${PREFIX}/lib/libprotobuf-c${CMAKE_STATIC_LIBRARY_SUFFIX}")
else()
  list(APPEND found "-DCOUNTERWARP_PROTOBUF_C:FILEPATH=${COUNTERWARP_PROTOBUF_C}")
endif()
if("nifticlib" IN_LIST libraries)
  list(APPEND found "-DNifticlib_INCLUDE_DIR:PATH=${PREFIX}/include/nifti"
       "-DNifticlib_LIBRARY:FILEPATH=${PREFIX}/lib/libniftiio${CMAKE_STATIC_LIBRARY_SUFFIX}"
       "-DNifticlib_ZNZ_LIBRARY:FILEPATH=${PREFIX}/lib/libznz${CMAKE_STATIC_LIBRARY_SUFFIX}")
elseif(COUNTERWARP_BUILD_CLI_MODULES)
  list(APPEND found "-DNifticlib_INCLUDE_DIR:PATH=${COUNTERWARP_NIFTI_INCLUDE}"
       "-DNifticlib_LIBRARY:FILEPATH=${COUNTERWARP_NIFTIIO}" "-DNifticlib_ZNZ_LIBRARY:FILEPATH=${COUNTERWARP_ZNZ}")
endif()
if("zlib" IN_LIST libraries)
  list(APPEND found "-DZLIB_LIBRARY:FILEPATH=${PREFIX}/lib/libz${CMAKE_STATIC_LIBRARY_SUFFIX}"
       "-DZLIB_INCLUDE_DIR:PATH=${PREFIX}/include")
endif()
ExternalProject_Add(inner
  DOWNLOAD_COMMAND ""
  INSTALL_COMMAND ""
  SOURCE_DIR "${CMAKE_CURRENT_SOURCE_DIR}"
  BINARY_DIR "${CMAKE_BINARY_DIR}/${EXTENSION_BUILD_SUBDIRECTORY}"
  CMAKE_CACHE_ARGS
    "-DSlicer_DIR:PATH=${Slicer_DIR}"
    "-DCMAKE_BUILD_TYPE:STRING=${CMAKE_BUILD_TYPE}"
    "-DCMAKE_C_COMPILER:FILEPATH=${CMAKE_C_COMPILER}"
    "-DCMAKE_CXX_COMPILER:FILEPATH=${CMAKE_CXX_COMPILER}"
    "-DCMAKE_PREFIX_PATH:STRING=${PREFIX}"
    "-DCOUNTERWARP_REPOSITORY_URL:STRING=${COUNTERWARP_REPOSITORY_URL}"
    "-DCOUNTERWARP_DEMO_DIR:PATH=${COUNTERWARP_DEMO_DIR}"
    "-DCOUNTERWARP_BUILD_CLI_MODULES:BOOL=${COUNTERWARP_BUILD_CLI_MODULES}"
    "-DCOUNTERWARP_SUPERBUILD:BOOL=OFF"
    "-DEXTENSION_SUPERBUILD_BINARY_DIR:PATH=${CMAKE_BINARY_DIR}"
    ${found}
  BUILD_ALWAYS ON
  DEPENDS ${libraries})
