# What the filters need of ITK; read by the build and by the installed package.
set(COUNTERWARP_ITK_MODULES ITKCommon ITKImageFunction ITKImageStatistics ITKMetricsv4 ITKOptimizersv4 ITKTransform)

# counterwarp_use_itk(TARGET): the ITK that find_package has found, as TARGET's users will need it.
macro(counterwarp_use_itk target)
  set_property(TARGET ${target} APPEND PROPERTY INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${ITK_INCLUDE_DIRS})
  set_property(TARGET ${target} APPEND PROPERTY INTERFACE_INCLUDE_DIRECTORIES ${ITK_INCLUDE_DIRS})
  set_property(TARGET ${target} APPEND PROPERTY INTERFACE_LINK_LIBRARIES ${ITK_LIBRARIES})
endmacro()
