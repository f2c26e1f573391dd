# Script: installs BUILD under WORK/prefix, then builds the examples as a project of their own against what lies there.
#   cmake -DBUILD=.. -DEXAMPLES=.. -DWORK=.. -DCONFIG=.. -DCXX=.. -DFLAGS=.. -P package.cmake
foreach(step
    "--install;${BUILD};--prefix;${WORK}/prefix;--config;${CONFIG}"
    "-S;${EXAMPLES};-B;${WORK}/examples;-DCMAKE_PREFIX_PATH=${WORK}/prefix;-DCMAKE_BUILD_TYPE=${CONFIG};-DCMAKE_CXX_COMPILER=${CXX};-DCMAKE_CXX_FLAGS=${FLAGS};-DCMAKE_CXX_FLAGS_RELEASE=-O1;-DCMAKE_EXE_LINKER_FLAGS=${FLAGS}"
    "--build;${WORK}/examples;--config;${CONFIG}")
  execute_process(COMMAND "${CMAKE_COMMAND}" ${step} RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "cmake ${step}:\n${text}")
  endif()
endforeach()
