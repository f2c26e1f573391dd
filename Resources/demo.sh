#!/bin/sh
# The main job on the embedded default: installs, builds, runs, and says where the page with the results lies.
set -eu
cd "$(dirname "$0")/.."

sh Resources/install.sh
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
cmake --preset release -DCOUNTERWARP_BUILD_TESTING=OFF
cmake --build build/release --parallel "$jobs" --target counterwarp
build/release/Module/CommandLine/counterwarp demo --out build/demo
echo "The page with the results: $PWD/build/demo/report.html"
