#!/bin/sh
# Compiles the loadable module, without linking, against the headers of a Slicer source tree:
#   sh check_headers.sh SLICER CTK VTKADDON [STANDARD]
# SLICER, CTK and VTKADDON are source folders (Slicer/Slicer, commontk/CTK, Slicer/vtkAddon); VTK 9, ITK 5
# and Qt 5 are the system's.  Headers that a build of Slicer generates are replaced by empty ones.  STANDARD: 14 for Slicer 5.0, 17 later.
set -eu
slicer=$1
ctk=$2
addon=$3
standard=${4:-14}
cd "$(dirname "$0")/../.."
stubs=$(mktemp -d)
trap 'rm -rf "$stubs"' EXIT

stub() {
  printf '#pragma once\n#define %s\n' "$2" >"$stubs/$1"
}
# What Slicer 5.0 keeps in its source tree, later ones generate.
[ -f "$slicer/Libs/MRML/Core/vtkMRMLExport.h" ] || stub vtkMRMLExport.h VTK_MRML_EXPORT
[ -f "$slicer/Libs/MRML/Logic/vtkMRMLLogicExport.h" ] || stub vtkMRMLLogicExport.h VTK_MRML_LOGIC_EXPORT
[ -f "$slicer/Base/Logic/vtkSlicerBaseLogicExport.h" ] || stub vtkSlicerBaseLogicExport.h VTK_SLICER_BASE_LOGIC_EXPORT
for name in vtkMRMLConfigure vtkMRMLLogicConfigure vtkSlicerBaseLogicConfigure vtkSlicerVersionConfigure \
  vtkAddonConfigure qSlicerConfigure; do
  stub $name.h COUNTERWARP_STUB_$name
done
stub vtkAddonExport.h VTK_ADDON_EXPORT
stub vtkAddon.h VTK_ADDON_EXPORT
stub qMRMLWidgetsExport.h QMRML_WIDGETS_EXPORT
stub qSlicerBaseQTGUIExport.h Q_SLICER_BASE_QTGUI_EXPORT
stub qSlicerBaseQTCoreExport.h Q_SLICER_BASE_QTCORE_EXPORT
stub ctkCoreExport.h CTK_CORE_EXPORT
stub ctkVisualizationVTKCoreExport.h CTK_VISUALIZATION_VTK_CORE_EXPORT
stub ctkWidgetsExport.h CTK_WIDGETS_EXPORT
stub qSlicerCounterwarpModuleExport.h Q_SLICER_QTMODULES_COUNTERWARP_EXPORT
stub vtkSlicerCounterwarpModuleLogicExport.h VTK_SLICER_COUNTERWARP_MODULE_LOGIC_EXPORT

vtk=$(ls -d /usr/include/vtk-9* | tail -1)
itk=$(ls -d /usr/include/ITK-5* | tail -1)
system=""
for folder in Libs/MRML/Core Libs/MRML/Logic Libs/MRML/Widgets Base/Logic Base/QTCore Base/QTGUI; do
  system="$system -isystem $slicer/$folder"
done
for folder in Libs/Core Libs/Visualization/VTK/Core Libs/Widgets; do
  system="$system -isystem $ctk/$folder"
done
for file in Module/Slicer/Logic/*.cxx Module/Slicer/qSlicerCounterwarp*.cxx Module/Slicer/Testing/Cxx/*.cxx; do
  # shellcheck disable=SC2046,SC2086
  ${CXX:-c++} -std=c++"$standard" -fPIC -fsyntax-only -Wall -Wextra -I"$stubs" $(pkg-config --cflags Qt5Widgets) \
    $system -isystem "$addon" -isystem "$vtk" -isystem "$itk" -ILogic/include -IWidgets -IWidgets/Panel -IModule/Slicer/Logic -IModule/Slicer \
    "$file"
  echo "fine: $file"
done
