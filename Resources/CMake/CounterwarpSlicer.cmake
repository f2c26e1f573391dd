# As an extension of 3D Slicer: its description for the extensions index, and what is left to Slicer.
#
# COUNTERWARP_REPOSITORY_URL is to be given by whoever publishes the extension: the address of the git repository, which
# Counterwarp.json (the entry of the extensions index) and the addresses of icon and screenshots are made from.
set(COUNTERWARP_REPOSITORY_URL "" CACHE STRING "Address of the git repository, for the extensions index")
set(COUNTERWARP_RAW_URL "${COUNTERWARP_REPOSITORY_URL}/raw/main" CACHE STRING "Where the repository's files are served")

set(EXTENSION_CATEGORY "Quantification")
set(EXTENSION_CONTRIBUTORS "The Counterwarp contributors")
set(EXTENSION_DESCRIPTION "Takes a disease out of a scan, or puts it in, as a trained classifier sees it: what the warp \
shrinks or expands is the explanation. For research use only.")
set(EXTENSION_HOMEPAGE "${COUNTERWARP_REPOSITORY_URL}")
set(EXTENSION_ICONURL "${COUNTERWARP_RAW_URL}/Module/Slicer/Resources/Icons/Counterwarp.png")
set(EXTENSION_SCREENSHOTURLS "${COUNTERWARP_RAW_URL}/Resources/pictures/viewer.png ${COUNTERWARP_RAW_URL}/Resources/pictures/drag.png")
set(EXTENSION_DEPENDS "NA")
set(EXTENSION_BUILD_SUBDIRECTORY inner-build)
if(COUNTERWARP_REPOSITORY_URL)
  configure_file("${CMAKE_CURRENT_LIST_DIR}/../Slicer/Counterwarp.json.in" "${CMAKE_CURRENT_BINARY_DIR}/Counterwarp.json"
                 @ONLY)
endif()

# Slicer reads images for the panel, and hands files to the command-line modules.  Its tests are its own; the program, with
# its report, is for outside.
option(COUNTERWARP_BUILD_CLI_MODULES "Command-line modules; need nifticlib, CLI11 and nlohmann-json" ON)
set(COUNTERWARP_BUILD_NIFTI "${COUNTERWARP_BUILD_CLI_MODULES}")
set(COUNTERWARP_BUILD_PROGRAM OFF)
set(COUNTERWARP_BUILD_TESTING OFF)
set(COUNTERWARP_BUILD_WIDGETS ON)
set(COUNTERWARP_BUILD_ITK ON) # "Align to model", by Slicer's own ITK
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME Development) # libraries and headers: not in the extension's package

find_package(Slicer REQUIRED)
include(${Slicer_USE_FILE})
if(Slicer_REQUIRED_QT_VERSION)
  string(REGEX MATCH "^[0-9]+" COUNTERWARP_QT_VERSION "${Slicer_REQUIRED_QT_VERSION}")
endif()
