#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# make-deb.sh FOLDER: builds the Debian packages from what git has, into FOLDER.
# The tree that dpkg-buildpackage sees is a copy with debian/ where it wants it,
# and with the build dependencies that packaging/build-packages.txt names.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:?usage: make-deb.sh FOLDER}
mkdir -p "$out"
out=$(cd "$out" && pwd)
tree=$out/breakout
rm -rf "$tree"
mkdir "$tree"
git -C "$root" archive HEAD | tar -x -C "$tree"
cp -r "$tree/packaging/debian" "$tree/debian"
cp "$tree/packaging/systemd/breakout.service" "$tree/packaging/systemd/breakout.sysusers" "$tree/debian/"
cp "$tree/packaging/systemd/breakout-watchdog.service" "$tree/debian/breakout.breakout-watchdog.service"

needed=$(awk '$2 == "build" && $1 !~ /^(build-essential|cmake|ninja-build|pkg-config)$/ { print " " $1 "," }' \
	"$root/packaging/build-packages.txt")
awk -v needed="$needed" '/^@BUILD_DEPENDS@$/ { print needed; next } { print }' \
	"$root/packaging/debian/control" >"$tree/debian/control"

version=$(sed -n 's/^project(breakout VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")
packaged=$(dpkg-parsechangelog -l "$tree/debian/changelog" -S Version)
if [ "$version" != "$packaged" ]; then
	echo "make-deb.sh: CMakeLists.txt says $version, packaging/debian/changelog $packaged" >&2
	exit 1
fi
cd "$tree"
dpkg-buildpackage -b -us -uc >"$out/build.log" 2>&1 || {
	tail -n 40 "$out/build.log" >&2
	exit 1
}
rm -rf "$tree"
ls "$out"/*.deb
