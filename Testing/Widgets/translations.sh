#!/bin/sh
# Collects the texts of the panel and the module for 3D Slicer: translations.sh LUPDATE FILE.ts
# Fails where lupdate warns, where a class has no texts, and where a message is put together without tr().
set -eu
cd "$(dirname "$0")/../.."
rm -f "$2"
said=$("$1" -no-obsolete Widgets Module/Slicer Resources/UI -ts "$2" 2>&1)
if printf '%s\n' "$said" | grep -iE 'warning|lacks|unknown|discard|cannot'; then
  exit 1
fi
for context in qCounterwarpPanel qCounterwarpWords qCounterwarpSanity qCounterwarpEngine qCounterwarpCurve \
  qCounterwarpLegend qCounterwarpViewer qCounterwarpViewerHost qSlicerCounterwarpModule \
  qSlicerCounterwarpModuleWidget qSlicerCounterwarpHost vtkSlicerCounterwarpLogic; do
  grep -q "<name>$context</name>" "$2" || { echo "no texts of $context"; exit 1; }
done
# A sentence in a literal that no tr() nor its like takes.
if grep -nE 'say(OfPosition)?\([^;]*, *"[A-Z]|warn\("|problem = "' Widgets/Panel/qCounterwarp[!A]*.cxx Module/Slicer/*.cxx Module/Slicer/Logic/*.cxx; then
  exit 1
fi
printf '%s\n' "$said" | tail -1
