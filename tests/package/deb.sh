#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# deb.sh FOLDER: installs the packages of a folder in a clean Debian 12 of its own,
# as an operator would, and looks at what came of it. Wants root and an archive;
# `make check-package` builds the packages and runs it.
set -euo pipefail
# Mounts are of this script alone.
[ -n "${BREAKOUT_UNSHARED:-}" ] || exec env BREAKOUT_UNSHARED=1 unshare --mount "$0" "$@"
debs=$(cd "${1:?usage: deb.sh FOLDER}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'umount -q "$root/proc" || true; rm -rf "$root"' EXIT
passed=0

ok() { passed=$((passed + 1)); echo "ok: $1"; }
fail() { echo "FAILED: $1" >&2; exit 1; }
inside() { chroot "$root" "$@"; }

lintian --fail-on error,warning "$debs"/*.changes || fail "lintian has something to say"
ok "lintian has nothing to say"

mmdebstrap --quiet --variant=minbase --include=ca-certificates,needrestart,python3,systemd-sysv bookworm "$root" >"$debs/chroot.log" 2>&1 ||
	fail "no clean Debian: $(tail -n 3 "$debs/chroot.log")"
mount -t proc proc "$root/proc"
cp "$debs"/breakout_*.deb "$debs"/breakout-core_*.deb "$root/tmp"
inside sh -c 'apt-get update -q && apt-get install -y -q --no-install-recommends /tmp/*.deb' >"$debs/install.log" 2>&1 ||
	fail "installing: $(tail -n 5 "$debs/install.log")"
ok "the packages install with what Debian 12 has"

inside id breakout >/dev/null || fail "no user breakout"
[ "$(inside stat -c %U /etc/breakout/breakout.yaml)" = root ] || fail "the configuration is not root's"
ok "the user is there, and cannot change its own configuration"

for unit in breakout breakout-watchdog; do
	[ -f "$root/lib/systemd/system/$unit.service" ] || fail "$unit.service is not installed"
	[ -z "$(find "$root/etc/systemd" -name $unit.service)" ] || fail "$unit.service is enabled"
done
ok "the units are there, and not enabled by installing them"

inside breakoutd --version | grep -q '^breakoutd ' || fail "breakoutd does not run"
inside breakoutctl --version | grep -q '^breakoutctl ' || fail "breakoutctl does not run"
inside breakout-watchdog --version | grep -q '^breakout-watchdog ' || fail "breakout-watchdog does not run"
inside breakout-core --version | grep -q '^breakout-core ' || fail "breakout-core does not run"
ok "the programs run"

# Fresh from the package it says what it lacks: certificate, key and secret.
status=0
inside breakoutd --check >"$debs/check.log" 2>&1 || status=$?
[ "$status" -eq 78 ] || fail "an unconfigured daemon leaves with $status instead of 78"
grep -q '^/etc/breakout/breakout.yaml:[0-9]*:[0-9]*: error: ' "$debs/check.log" ||
	fail "it does not say where: $(cat "$debs/check.log")"
ok "an unconfigured daemon says what it lacks, with line and column"

inside su -s /bin/sh -c 'breakout-core demo --breakoutd /usr/sbin/breakoutd --only loop' breakout \
	>"$debs/demo.log" 2>&1 || fail "the demo as user breakout: $(tail -n 5 "$debs/demo.log")"
ok "the installed programs place calls, as user breakout"

# A systemd of its own is process 1 there.
mkdir "$root/srv/test"
cp "$here/under_systemd.py" "$here/../flow/core.py" "$root/srv/test"
cp "$root"/tmp/breakout_*.deb "$root/srv"
"$here/boot.sh" "$root" /usr/bin/python3 -u /srv/test/under_systemd.py >"$debs/systemd.log" 2>&1 ||
	fail "the service under systemd: $(cat "$debs/systemd.log")"
grep '^ok ' "$debs/systemd.log" | sed 's/^ok  /   /'
ok "systemd starts, reloads, restarts, follows and stops the service, and calls go on"

echo '# mine' >>"$root/etc/breakout/breakout.yaml"
inside sh -c 'dpkg -i /tmp/breakout_*.deb' >/dev/null 2>&1 || fail "the upgrade"
grep -q '^# mine$' "$root/etc/breakout/breakout.yaml" || fail "the upgrade lost a change of the operator's"
inside dpkg --purge breakout breakout-core >/dev/null 2>&1 || fail "purging"
[ ! -e "$root/usr/sbin/breakoutd" ] && [ ! -e "$root/etc/breakout/breakout.yaml" ] || fail "something is left"
ok "an upgrade keeps the operator's changes, a purge leaves nothing"
echo "$passed passed, 0 failed"
