counterwarp_test(onnx onnx_test.cxx apply_test.cxx classifier_of_test.cxx families_test.cxx import_test.cxx
                 memory_test.cxx output_test.cxx seldom_test.cxx standard_test.cxx model_samples.cxx)

# Against onnxruntime, where a Python has it.
add_executable(onnx_samples write_samples.cxx model_samples.cxx)
target_link_libraries(onnx_samples PRIVATE Counterwarp::Core counterwarp_settings)
target_include_directories(onnx_samples PRIVATE "${PROJECT_SOURCE_DIR}/Testing")
add_executable(run_import run_import.cxx)
target_link_libraries(run_import PRIVATE Counterwarp::Core counterwarp_settings)
set(COUNTERWARP_TEST_PYTHON python3 CACHE STRING "Python with numpy, onnx and onnxruntime, for comparisons")
execute_process(COMMAND "${COUNTERWARP_TEST_PYTHON}" -c "import numpy, onnx, onnxruntime" RESULT_VARIABLE no_onnxruntime
                OUTPUT_QUIET ERROR_QUIET)
if(no_onnxruntime)
  message(STATUS "No onnxruntime in ${COUNTERWARP_TEST_PYTHON}: the comparison with it is left out")
else()
  add_test(NAME onnx.onnxruntime COMMAND "${COUNTERWARP_TEST_PYTHON}" "${CMAKE_CURRENT_SOURCE_DIR}/onnx_onnxruntime.py"
                                         $<TARGET_FILE:onnx_samples> "${PROJECT_SOURCE_DIR}/Testing/Data/families")
  set_tests_properties(onnx.onnxruntime PROPERTIES TIMEOUT 300)
  add_test(NAME onnx.operators COMMAND "${COUNTERWARP_TEST_PYTHON}" "${CMAKE_CURRENT_SOURCE_DIR}/operators.py"
                                       $<TARGET_FILE:run_import>)
  set_tests_properties(onnx.operators PROPERTIES TIMEOUT 300)
  # Full size takes minutes under sanitizers, which see the same code in the small files.
  if(NOT COUNTERWARP_SANITIZE AND NOT COUNTERWARP_SANITIZE_THREADS)
    add_test(NAME onnx.full_size COMMAND "${COUNTERWARP_TEST_PYTHON}" "${CMAKE_CURRENT_SOURCE_DIR}/full_size.py"
                                         $<TARGET_FILE:run_import>)
    set_tests_properties(onnx.full_size PROPERTIES TIMEOUT 900)
  endif()
endif()

execute_process(COMMAND "${COUNTERWARP_TEST_PYTHON}" -c "import torch, onnx, onnxruntime"
                RESULT_VARIABLE no_torch OUTPUT_QUIET ERROR_QUIET)
if(no_torch)
  message(STATUS "No PyTorch in ${COUNTERWARP_TEST_PYTHON}: the test of export_classifier.py is left out")
else()
  add_test(NAME onnx.export COMMAND "${COUNTERWARP_TEST_PYTHON}" "${CMAKE_CURRENT_SOURCE_DIR}/export.py"
                                    "${PROJECT_SOURCE_DIR}/Resources/Scripts/export_classifier.py"
                                    $<TARGET_FILE:run_import> $<$<TARGET_EXISTS:counterwarp>:$<TARGET_FILE:counterwarp>>)
  set_tests_properties(onnx.export PROPERTIES TIMEOUT 300)
endif()

# Fresh exports of each family, where that Python has PyTorch and MONAI too (families.py without --small: full size).
execute_process(COMMAND "${COUNTERWARP_TEST_PYTHON}" -c "import torch, monai, onnx, onnxruntime"
                RESULT_VARIABLE no_monai OUTPUT_QUIET ERROR_QUIET)
if(NOT no_monai)
  add_test(NAME onnx.families COMMAND "${COUNTERWARP_TEST_PYTHON}" "${CMAKE_CURRENT_SOURCE_DIR}/families.py"
                                      $<TARGET_FILE:run_import> --small --legacy)
  set_tests_properties(onnx.families PROPERTIES TIMEOUT 900)
endif()
