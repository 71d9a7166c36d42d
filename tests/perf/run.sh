#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# make bench: what a call, a relayed packet and an upsert cost here.
# make bench-media: relays side by side, then legs that only ours speaks (ICE, DTLS).
set -eu
build=${1:?usage: run.sh BUILD_FOLDER [media [CALLS [SECONDS [ROUNDS]]]]}
here=$(dirname "$0")

echo "machine: $(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), Linux $(uname -r)"
if [ "${2:-}" = media ]; then
	shift 2
	"$build/bin/bench_media" "$@"
	exec "$build/bin/bench_relay"
fi
BREAKOUT_BIN=$build/bin PYTHONPATH=$here/../interop /usr/bin/python3 "$here/bench_call.py"
BREAKOUT_BIN=$build/bin PYTHONPATH=$here/../interop /usr/bin/python3 "$here/bench_overload.py"
"$build/bin/bench_relay"
"$build/bin/bench_transcode"
"$build/bin/bench_upsert"
