#!/bin/sh
# The viewer with its demonstration: installs, builds, trains the small model once, opens the window.
set -eu
cd "$(dirname "$0")/.."

sh Resources/install.sh widgets
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
cmake --preset release -DCOUNTERWARP_BUILD_WIDGETS=ON -DCOUNTERWARP_BUILD_TESTING=OFF
cmake --build build/release --parallel "$jobs" --target counterwarp-viewer --target demo_model
exec build/release/Widgets/Viewer/counterwarp-viewer --demo "$@"
