#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# make bench: what a call, a relayed packet and an upsert cost here.
set -eu
build=${1:?usage: run.sh BUILD_FOLDER}
here=$(dirname "$0")

echo "machine: $(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), Linux $(uname -r)"
BREAKOUT_BIN=$build/bin PYTHONPATH=$here/../interop /usr/bin/python3 "$here/bench_call.py"
"$build/bin/bench_relay"
"$build/bin/bench_transcode"
"$build/bin/bench_upsert"
