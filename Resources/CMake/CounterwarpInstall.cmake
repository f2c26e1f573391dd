# find_package(Counterwarp) gives Counterwarp::Core and, where built, Counterwarp::Nifti; with COMPONENTS ITK
# Counterwarp::ITK as well.
include(CMakePackageConfigHelpers)
set(counterwarp_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Counterwarp")
configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/CounterwarpConfig.cmake.in" "${CMAKE_CURRENT_BINARY_DIR}/CounterwarpConfig.cmake"
  INSTALL_DESTINATION "${counterwarp_package_dir}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/CounterwarpConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/CounterwarpConfig.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/CounterwarpConfigVersion.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/FindNifticlib.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/FindThreadSafeBlas.cmake"
        DESTINATION "${counterwarp_package_dir}")
install(EXPORT CounterwarpTargets NAMESPACE Counterwarp:: DESTINATION "${counterwarp_package_dir}")
if(COUNTERWARP_BUILD_ITK)
  install(EXPORT CounterwarpITKTargets NAMESPACE Counterwarp:: DESTINATION "${counterwarp_package_dir}")
  install(FILES "${PROJECT_SOURCE_DIR}/Module/ITK/CounterwarpITK.cmake" DESTINATION "${counterwarp_package_dir}")
endif()
install(DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/Logic/include/counterwarp" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
