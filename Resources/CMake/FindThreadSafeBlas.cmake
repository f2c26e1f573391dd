# A BLAS whose products may run in several threads at once, as the target ThreadSafeBlas::ThreadSafeBlas.
#
# Taken in this order:
#  1. the static archive of OpenBLAS's OpenMP flavour (Debian: libopenblas-openmp-dev).  It becomes part of the program,
#     so the BLAS of a host (Slicer, Python) and its number of threads are neither used nor changed; called from OpenMP
#     threads it stays in them;
#  2. the shared library of that flavour;
#  3. any BLAS that find_package(BLAS) gives, with a warning.
# ThreadSafeBlas_LIBRARY may be set by hand.  ThreadSafeBlas_STATIC tells whether it is an archive.
#
# OpenBLAS's serial flavour is not taken: in Debian's 0.3.21 two threads may get the same scratch memory (the compiler
# moved the spin lock's release before the search for a free buffer), and products come out wrong.

# The name alone tells nothing: in Fedora's /usr/lib64 it is the serial flavour, and openblaso the one with OpenMP.
find_library(ThreadSafeBlas_LIBRARY NAMES libopenblas.a openblas
             PATHS "/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp" /usr/lib64/openblas-openmp
                   /usr/lib/openblas-openmp
             NO_DEFAULT_PATH DOC "BLAS that several threads may call")
find_library(ThreadSafeBlas_LIBRARY NAMES libopenblaso.a openblaso openblas_openmp
             PATHS "/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}" /usr/lib64 /usr/lib
             NO_DEFAULT_PATH DOC "BLAS that several threads may call")
if(NOT ThreadSafeBlas_LIBRARY)
  find_package(BLAS QUIET)
  if(BLAS_FOUND)
    set(_threadsafeblas_libraries ${BLAS_LIBRARIES} ${BLAS_LINKER_FLAGS})
    if(NOT ThreadSafeBlas_FIND_QUIETLY)
      message(WARNING "No OpenBLAS with OpenMP found: using ${BLAS_LIBRARIES}, whose products may be wrong in several "
                      "threads if it is OpenBLAS's serial flavour. Better install libopenblas-openmp-dev.")
    endif()
  endif()
else()
  set(_threadsafeblas_libraries "${ThreadSafeBlas_LIBRARY}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(ThreadSafeBlas REQUIRED_VARS _threadsafeblas_libraries
                                  REASON_FAILURE_MESSAGE "install libopenblas-openmp-dev or another BLAS")
mark_as_advanced(ThreadSafeBlas_LIBRARY)

if(ThreadSafeBlas_FOUND AND NOT TARGET ThreadSafeBlas::ThreadSafeBlas)
  add_library(ThreadSafeBlas::ThreadSafeBlas INTERFACE IMPORTED GLOBAL)
  set_property(TARGET ThreadSafeBlas::ThreadSafeBlas PROPERTY INTERFACE_LINK_LIBRARIES "${_threadsafeblas_libraries}")
  set(ThreadSafeBlas_STATIC FALSE)
  if(ThreadSafeBlas_LIBRARY MATCHES "\\.a$")
    set(ThreadSafeBlas_STATIC TRUE)
    find_package(Threads REQUIRED)
    find_package(OpenMP REQUIRED COMPONENTS C)
    # The run-time library alone: whether the caller compiles with OpenMP is its own affair.
    set_property(TARGET ThreadSafeBlas::ThreadSafeBlas APPEND PROPERTY
                 INTERFACE_LINK_LIBRARIES ${OpenMP_C_LIBRARIES} Threads::Threads)
    if(UNIX)
      set_property(TARGET ThreadSafeBlas::ThreadSafeBlas APPEND PROPERTY INTERFACE_LINK_LIBRARIES m)
    endif()
    if(UNIX AND NOT APPLE)
      # A plug-in must not lend its sgemm_ to the host.
      get_filename_component(_threadsafeblas_name "${ThreadSafeBlas_LIBRARY}" NAME)
      set_property(TARGET ThreadSafeBlas::ThreadSafeBlas PROPERTY
                   INTERFACE_LINK_OPTIONS "LINKER:--exclude-libs,${_threadsafeblas_name}")
      unset(_threadsafeblas_name)
    endif()
  endif()
endif()
unset(_threadsafeblas_libraries)
