# Configures the extension against the stand-in for Slicer: the outer build with every library from source (nothing is
# downloaded: that happens when it is built), the outer build of a machine that has them, of one that has them as shared
# libraries alone, and the inner build.
#   cmake -DSOURCE=folder -DBINARY=folder -DQT=5 -DGENERATOR=name -P configure_extension.cmake
cmake_minimum_required(VERSION 3.20)

# configure(NAME [EXPECT text] ARGS ..)
function(configure name expect)
  file(REMOVE_RECURSE "${BINARY}/${name}")
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -S "${SOURCE}" -B "${BINARY}/${name}" -G "${GENERATOR}" "-DSlicer_DIR=${SOURCE}/Testing/Slicer/fake"
            -DCOUNTERWARP_REPOSITORY_URL=https://example.org/counterwarp.git "-DCOUNTERWARP_QT_VERSION=${QT}" ${ARGN}
    OUTPUT_VARIABLE out ERROR_VARIABLE out RESULT_VARIABLE failed)
  if(failed OR NOT out MATCHES "${expect}")
    message(FATAL_ERROR "${name}: expected \"${expect}\"\n${out}")
  endif()
  message(STATUS "fine: ${name}")
endfunction()

configure(all "for the extension: OpenBLAS;kissfft;protobuf;protobuf-c;CLI11;json;zlib;nifticlib"
          -DCOUNTERWARP_SUPERBUILD_ALL=ON)
foreach(part OpenBLAS kissfft protobuf protobuf-c CLI11 json zlib nifticlib inner)
  if(NOT EXISTS "${BINARY}/all/CMakeFiles/${part}-complete" AND NOT IS_DIRECTORY "${BINARY}/all/${part}"
     AND NOT IS_DIRECTORY "${BINARY}/all/${part}-prefix")
    message(FATAL_ERROR "all: no external project ${part}")
  endif()
endforeach()
# Debian has no static kissfft.
configure(some "for the extension: (kissfft)?\n")
configure(shared "for the extension: OpenBLAS(;kissfft)?;protobuf;protobuf-c\n"
          -DThreadSafeBlas_LIBRARY=/usr/lib/libopenblaso.so -DCOUNTERWARP_PROTOBUF_C=/usr/lib/libprotobuf-c.so)
file(READ "${BINARY}/some/Counterwarp.json" entry)
# The keys of schema 1.0.2, no more and no less, with the types that it asks for.
set(keys "$schema" build_dependencies build_subdirectory category scm_revision scm_url tier)
set(types STRING ARRAY STRING STRING STRING STRING NUMBER)
foreach(key type IN ZIP_LISTS keys types)
  string(JSON value GET "${entry}" "${key}")
  string(JSON kind TYPE "${entry}" "${key}")
  if(NOT kind STREQUAL type OR (type STREQUAL "STRING" AND value STREQUAL ""))
    message(FATAL_ERROR "Counterwarp.json: ${key} is \"${value}\", a ${kind}; expected a ${type}")
  endif()
endforeach()
string(JSON count LENGTH "${entry}")
if(NOT count EQUAL 7)
  message(FATAL_ERROR "Counterwarp.json: ${count} keys; expected 7")
endif()
string(JSON url GET "${entry}" scm_url)
if(NOT url STREQUAL "https://example.org/counterwarp.git")
  message(FATAL_ERROR "Counterwarp.json: scm_url is ${url}")
endif()
configure(inner "the extension is described" -DCOUNTERWARP_SUPERBUILD=OFF -DBUILD_TESTING=ON)
# Where the modules are installed is where Slicer looks for those of an extension.
file(READ "${BINARY}/inner/Module/CommandLine/cmake_install.cmake" installs)
if(NOT installs MATCHES "lib/Slicer-5.0/cli-modules" OR NOT installs MATCHES "CounterwarpTrain.xml"
   OR NOT EXISTS "${BINARY}/inner/lib/Slicer-5.0/cli-modules/CounterwarpTrain.xml")
  message(FATAL_ERROR "inner: the command-line modules are installed elsewhere")
endif()
# A demonstration that was promised is there, or the build says so.
execute_process(
  COMMAND "${CMAKE_COMMAND}" -S "${SOURCE}" -B "${BINARY}/inner" "-DCOUNTERWARP_DEMO_DIR=${BINARY}/absent"
  OUTPUT_VARIABLE out ERROR_VARIABLE out RESULT_VARIABLE failed)
if(NOT failed OR NOT out MATCHES "has no[ \n]+model.onnx")
  message(FATAL_ERROR "a missing demonstration is not noticed\n${out}")
endif()
configure(panel "the extension is described" -DCOUNTERWARP_SUPERBUILD=OFF -DCOUNTERWARP_BUILD_CLI_MODULES=OFF)
