# NIfTI: files made by hand, and files exchanged with nibabel where it is installed.
find_package(ZLIB REQUIRED)
counterwarp_test(nifti nifti_test.cxx nifti_refusal_test.cxx LIBRARIES Counterwarp::Nifti ZLIB::ZLIB)

add_executable(nifti_convert nifti_convert.cxx)
target_link_libraries(nifti_convert PRIVATE Counterwarp::Nifti counterwarp_settings)
find_package(Python3 COMPONENTS Interpreter QUIET)
if(Python3_Interpreter_FOUND)
  execute_process(COMMAND "${Python3_EXECUTABLE}" -c "import nibabel" RESULT_VARIABLE no_nibabel
                  OUTPUT_QUIET ERROR_QUIET)
  if(no_nibabel EQUAL 0)
    add_test(NAME nifti.nibabel COMMAND "${Python3_EXECUTABLE}" "${CMAKE_CURRENT_LIST_DIR}/nifti_nibabel.py"
                                        "$<TARGET_FILE:nifti_convert>")
    set_tests_properties(nifti.nibabel PROPERTIES TIMEOUT 120)
  endif()
endif()
