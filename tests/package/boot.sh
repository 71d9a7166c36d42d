#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# boot.sh ROOT COMMAND...: boots the systemd that is installed in ROOT, with processes,
# network, mounts and control groups of its own, runs a command in there, and shuts it
# down. The command's status is ours. Wants root. Files are written in ROOT.
set -euo pipefail
[ "$#" -ge 2 ] || { echo "usage: boot.sh ROOT COMMAND..." >&2; exit 2; }
root=$1
shift

# Where control groups of version 2 are; beside those of version 1, or alone.
groups=/sys/fs/cgroup
[ -f $groups/cgroup.procs ] || groups=/sys/fs/cgroup/unified
group=$groups/breakout-package-$$
log=$(mktemp)
first=
end() {
	[ -z "$first" ] || kill -9 "$first" 2>/dev/null || true # pid 1: all of them end with it
	for _ in $(seq 100); do
		rmdir $(find "$group" -depth -type d 2>/dev/null) 2>/dev/null && break
		sleep 0.1
	done
	rm -f "$log"
}
trap end EXIT
mkdir "$group"

# What is the kernel's and not the namespaces' own is read only in there.
inside='
set -eu
echo $$ >"$2/cgroup.procs"
exec unshare --cgroup sh -c '\''
set -eu
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
	touch "$root/dev/$device"
	mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs tmpfs "$root/dev/shm"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
hostname breakout-test
cd "$root"
mkdir -p .old
pivot_root . .old
umount -l /.old
exec env -i container=breakout-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console
'\'' sh "$1"'
unshare --pid --fork --kill-child --mount --uts --ipc --net sh -c "$inside" sh "$root" "$group" \
	>"$log" 2>&1 </dev/null &
unshared=$!

enter() { nsenter -t "$first" -m -p -u -i -n -C -r -w env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
for _ in $(seq 300); do
	first=$(cat "/proc/$unshared/task/$unshared/children" 2>/dev/null | tr -d ' ')
	[ -n "$first" ] && enter systemctl is-system-running --quiet 2>/dev/null && break
	kill -0 "$unshared" 2>/dev/null || { cat "$log" >&2; first=; exit 1; }
	sleep 0.1
done
enter systemctl is-system-running >/dev/null || {
	enter systemctl list-units --failed >&2 || true
	cat "$log" >&2
	exit 1
}
status=0
enter "$@" || status=$?
exit "$status"
