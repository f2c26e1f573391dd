# A BLAS that stays in the calling thread, as the target SerialBlas::SerialBlas.
#
# Taken in this order:
#  1. the static archive of OpenBLAS's serial flavour (Debian: libopenblas-serial-dev).  It becomes part of the program,
#     so the BLAS of a host (Slicer, Python) and its number of threads are neither used nor changed;
#  2. the shared library of that flavour;
#  3. any BLAS that find_package(BLAS) gives.
# SerialBlas_LIBRARY may be set by hand.  SerialBlas_STATIC tells whether it is an archive.
#
# The archive's locking (USE_LOCKING, as Debian builds it) makes it safe to call from several threads at once.

set(_serialblas_suffixes
    openblas-serial
    "${CMAKE_LIBRARY_ARCHITECTURE}/openblas-serial"
    openblas/serial)
find_library(SerialBlas_LIBRARY NAMES libopenblas.a PATH_SUFFIXES ${_serialblas_suffixes}
             PATHS "/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-serial" NO_DEFAULT_PATH
             DOC "Serial BLAS")
find_library(SerialBlas_LIBRARY NAMES libopenblas_serial.a openblas_serial openblas
             PATHS "/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-serial" /usr/lib64 /usr/lib
             PATH_SUFFIXES openblas-serial NO_DEFAULT_PATH
             DOC "Serial BLAS")
unset(_serialblas_suffixes)
if(NOT SerialBlas_LIBRARY)
  find_package(BLAS QUIET)
  if(BLAS_FOUND)
    set(_serialblas_libraries ${BLAS_LIBRARIES} ${BLAS_LINKER_FLAGS})
    message(STATUS "No serial OpenBLAS found: using ${BLAS_LIBRARIES}")
  endif()
else()
  set(_serialblas_libraries "${SerialBlas_LIBRARY}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(SerialBlas REQUIRED_VARS _serialblas_libraries
                                  REASON_FAILURE_MESSAGE "install libopenblas-serial-dev or another BLAS")
mark_as_advanced(SerialBlas_LIBRARY)

if(SerialBlas_FOUND AND NOT TARGET SerialBlas::SerialBlas)
  add_library(SerialBlas::SerialBlas INTERFACE IMPORTED GLOBAL)
  set_property(TARGET SerialBlas::SerialBlas PROPERTY INTERFACE_LINK_LIBRARIES "${_serialblas_libraries}")
  set(SerialBlas_STATIC FALSE)
  if(SerialBlas_LIBRARY MATCHES "\\.a$")
    set(SerialBlas_STATIC TRUE)
    if(UNIX)
      set_property(TARGET SerialBlas::SerialBlas APPEND PROPERTY INTERFACE_LINK_LIBRARIES m)
    endif()
    if(UNIX AND NOT APPLE)
      # A plug-in must not lend its sgemm_ to the host.
      get_filename_component(_serialblas_name "${SerialBlas_LIBRARY}" NAME)
      set_property(TARGET SerialBlas::SerialBlas PROPERTY
                   INTERFACE_LINK_OPTIONS "LINKER:--exclude-libs,${_serialblas_name}")
      unset(_serialblas_name)
    endif()
  endif()
endif()
unset(_serialblas_libraries)
