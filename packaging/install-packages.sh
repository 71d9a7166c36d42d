#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is missing for a purpose: install-packages.sh build|check|bench
# (each includes those before it) or package or fuzz (with those of build). Asks apt only
# when something is missing, so a machine that has everything needs neither network
# nor root.
set -eu
purpose=${1:?usage: install-packages.sh build|check|bench|package|fuzz}
list=$(dirname "$0")/build-packages.txt

case $purpose in
build) wanted=$(awk '$1 !~ /^#/ && $2 == "build" { print $1 }' "$list") ;;
check) wanted=$(awk '$1 !~ /^#/ && ($2 == "build" || $2 == "check") { print $1 }' "$list") ;;
bench) wanted=$(awk '$1 !~ /^#/ && ($2 == "build" || $2 == "check" || $2 == "bench") { print $1 }' "$list") ;;
package | fuzz) wanted=$(awk -v purpose="$purpose" '$1 !~ /^#/ && ($2 == "build" || $2 == purpose) { print $1 }' "$list") ;;
*) echo "install-packages.sh: unknown purpose '$purpose': build, check, bench, package or fuzz" >&2; exit 2 ;;
esac

missing=
for package in $wanted; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "installing:$missing"
as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of words is meant
if ! $as_root apt-get install -y -q --no-install-recommends $missing >/tmp/breakout-apt.$$ 2>&1; then
	# The lists may be older than the archive, or absent on a fresh machine.
	$as_root apt-get update -q
	$as_root apt-get install -y -q --no-install-recommends $missing
fi
rm -f /tmp/breakout-apt.$$

# Tests start their own; one that the package starts is on every address.
for service in coturn janus; do
	case " $missing " in
	*" $service "*) $as_root systemctl disable --now -q "$service" 2>/dev/null || true ;;
	esac
done
