# As an extension of 3D Slicer: its description for the extensions index, and what is left to Slicer.
set(EXTENSION_CATEGORY "Quantification")
set(EXTENSION_CONTRIBUTORS "The Counterwarp contributors")
set(EXTENSION_DESCRIPTION "Takes a disease out of a scan, or puts it in, as a trained classifier sees it: what the warp \
shrinks or expands is the explanation. For research use only.")
set(EXTENSION_DEPENDS "NA")
set(EXTENSION_BUILD_SUBDIRECTORY ".")

# Slicer reads images itself, and its tests are its own.
set(COUNTERWARP_BUILD_NIFTI OFF)
set(COUNTERWARP_BUILD_PROGRAM OFF)
set(COUNTERWARP_BUILD_TESTING OFF)
set(COUNTERWARP_BUILD_WIDGETS ON)

find_package(Slicer REQUIRED)
include(${Slicer_USE_FILE})
if(Slicer_REQUIRED_QT_VERSION)
  string(REGEX MATCH "^[0-9]+" COUNTERWARP_QT_VERSION "${Slicer_REQUIRED_QT_VERSION}")
endif()
