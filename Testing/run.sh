#!/bin/sh
# Installs, builds, runs all tests, in the release build and under the address and undefined behaviour sanitizers; those
# with threads of their own also under the thread sanitizer.  Ends with one line, 'N passed, N failed', over all.
#   COUNTERWARP_SANITIZE_TESTS=0  leaves the sanitizers out
#   COUNTERWARP_TEST_PYTHON=FILE  a Python with numpy, nibabel, onnx, onnxruntime and slicer-core, instead of one in build/python
set -eu
cd "$(dirname "$0")/.."

sh Resources/install.sh tests
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

python=${COUNTERWARP_TEST_PYTHON:-$PWD/build/python/bin/python}
modules="import numpy, nibabel, onnx, onnxruntime, slicer"
if ! "$python" -c "$modules" >/dev/null 2>&1; then
  python=$PWD/build/python/bin/python
  if ! "$python" -c "$modules" >/dev/null 2>&1; then
    echo "Setting up Python in build/python (numpy, nibabel, onnx, onnxruntime, slicer-core: used by tests only)"
    python3 -m venv --clear build/python
    "$python" -m pip install --quiet --disable-pip-version-check numpy nibabel onnx onnxruntime slicer-core
  fi
fi

# Tests run side by side: threads that wait must not keep a core busy.
OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
export OMP_WAIT_POLICY

passed=0
failed=0

# run PRESET [option..]: configures, builds, tests.
run() {
  folder=build/$1
  cmake --preset "$@" -DCOUNTERWARP_BUILD_TESTING=ON -DCOUNTERWARP_BUILD_ITK=ON -DCOUNTERWARP_TEST_PYTHON="$python"
  cmake --build --preset "$1" --parallel "$jobs"
  report=$folder/tests.xml
  failures=$folder/Testing/Temporary/LastTestsFailed.log
  rm -f "$report" "$failures"
  status=0
  ctest --test-dir "$folder" --parallel "$jobs" --output-on-failure --no-tests=error --output-junit tests.xml ||
    status=$?
  right=0
  wrong=0
  [ ! -f "$report" ] || right=$(grep -c '<testcase .* status="run"' "$report") || true
  [ ! -f "$failures" ] || wrong=$(grep -c . "$failures") || true
  if [ "$status" -ne 0 ] && [ "$wrong" -eq 0 ]; then
    wrong=1
  fi
  passed=$((passed + right))
  failed=$((failed + wrong))
}

run release -DCOUNTERWARP_BUILD_WIDGETS=ON -DCOUNTERWARP_BUILD_BENCHMARK=ON
if [ "${COUNTERWARP_SANITIZE_TESTS:-1}" != 0 ]; then
  # Frames that gcc 12 moves off the stack for detect_stack_use_after_return are not aligned for 64-byte vectors
  # (gcc bug 110027).
  ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=0} \
    UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1} run sanitize -DCOUNTERWARP_BUILD_WIDGETS=ON
  run threads
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
