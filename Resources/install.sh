#!/bin/sh
# Installs what a bare Debian 12 lacks: sh Resources/install.sh [tests|widgets]
# Uses sudo only if not root, and touches nothing when all is there.
set -eu

packages="build-essential cmake pkg-config libopenblas-openmp-dev libnifti-dev zlib1g-dev libprotobuf-c-dev
  protobuf-c-compiler libkissfft-dev libcli11-dev nlohmann-json3-dev libpng-dev libjs-chart.js mricron-data"
if [ "${1:-}" = tests ]; then
  packages="$packages libgtest-dev python3-venv libinsighttoolkit5-dev libfftw3-dev qtbase5-dev xvfb"
elif [ "${1:-}" = widgets ]; then
  packages="$packages qtbase5-dev"
fi

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo "install.sh: this is no Debian or Ubuntu; please install by hand:" $packages >&2
  exit 0
fi

missing=""
for package in $packages; do
  if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
    missing="$missing $package"
  fi
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "install.sh: please install as root:$missing" >&2
    exit 1
  fi
  as_root="sudo"
fi
echo "Installing:$missing"
$as_root apt-get -q update
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing
