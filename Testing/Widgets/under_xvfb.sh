#!/bin/sh
# Runs a program with windows on a screen of its own: sh under_xvfb.sh PROGRAM [ARGUMENT ..]
# Without Xvfb it runs on Qt's offscreen platform.
set -eu
# Neither is used, and both leave memory behind that the leak sanitizer reports: D-Bus, OpenGL's drivers.
DBUS_SESSION_BUS_ADDRESS=disabled:
QT_XCB_GL_INTEGRATION=none
export DBUS_SESSION_BUS_ADDRESS QT_XCB_GL_INTEGRATION
if ! command -v Xvfb >/dev/null 2>&1; then
  QT_QPA_PLATFORM=offscreen exec "$@"
fi
folder=$(mktemp -d)
# Xvfb finds a free number and writes it, so that tests may run side by side.
Xvfb -displayfd 3 -screen 0 1600x1200x24 -nolisten tcp 3>"$folder/number" 2>/dev/null &
screen=$!
trap 'kill "$screen" 2>/dev/null; wait "$screen" 2>/dev/null || true; rm -rf "$folder"' EXIT
tries=0
while [ ! -s "$folder/number" ] && [ "$tries" -lt 100 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
[ -s "$folder/number" ] || { echo "under_xvfb.sh: Xvfb did not start" >&2; exit 1; }
status=0
DISPLAY=":$(cat "$folder/number")" QT_QPA_PLATFORM=xcb "$@" || status=$?
exit "$status"
