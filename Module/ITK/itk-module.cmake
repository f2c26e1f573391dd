# Counterwarp as a module of ITK's own build: link or copy this folder to Modules/External/ITKCounterwarp of ITK's source
# and configure with -DModule_ITKCounterwarp=ON -DCounterwarp_DIR=PREFIX/lib/cmake/Counterwarp, where the core is
# installed.
itk_module(ITKCounterwarp
  DEPENDS
    ITKCommon
    ITKImageFunction
    ITKImageStatistics
    ITKMetricsv4
    ITKOptimizersv4
    ITKTransform
  EXCLUDE_FROM_DEFAULT
  DESCRIPTION
    "Warps that show what a classifier of 3-D images has seen: simulation, classification and fast displacement fields.")
