# nifticlib (Debian: libnifti-dev), as the target Nifticlib::Nifticlib.
# Nifticlib_INCLUDE_DIR, Nifticlib_LIBRARY and Nifticlib_ZNZ_LIBRARY may be set by hand.

find_path(Nifticlib_INCLUDE_DIR NAMES nifti1_io.h PATH_SUFFIXES nifti)
find_library(Nifticlib_LIBRARY NAMES niftiio)
find_library(Nifticlib_ZNZ_LIBRARY NAMES znz)
find_package(ZLIB QUIET)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Nifticlib
  REQUIRED_VARS Nifticlib_LIBRARY Nifticlib_ZNZ_LIBRARY Nifticlib_INCLUDE_DIR ZLIB_FOUND
  REASON_FAILURE_MESSAGE "install libnifti-dev and zlib1g-dev, or set COUNTERWARP_BUILD_NIFTI=OFF")
mark_as_advanced(Nifticlib_INCLUDE_DIR Nifticlib_LIBRARY Nifticlib_ZNZ_LIBRARY)

if(Nifticlib_FOUND AND NOT TARGET Nifticlib::Nifticlib)
  add_library(Nifticlib::Nifticlib INTERFACE IMPORTED GLOBAL)
  set_property(TARGET Nifticlib::Nifticlib PROPERTY INTERFACE_INCLUDE_DIRECTORIES "${Nifticlib_INCLUDE_DIR}")
  set_property(TARGET Nifticlib::Nifticlib PROPERTY
               INTERFACE_LINK_LIBRARIES "${Nifticlib_LIBRARY};${Nifticlib_ZNZ_LIBRARY};ZLIB::ZLIB")
  if(UNIX)
    set_property(TARGET Nifticlib::Nifticlib APPEND PROPERTY INTERFACE_LINK_LIBRARIES m)
  endif()
endif()
