#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Searches for input that a fuzz target does not bear, JOBS targets at a time, each for
# SECONDS, from its corpus and from what earlier searches found worth keeping. One line a
# target and one for all; fails if one found something.
#
#   run.sh BUILD_FOLDER JOBS SECONDS [TARGET...]
set -eu
usage="usage: run.sh BUILD_FOLDER JOBS SECONDS [TARGET...]"
build=${1:?$usage} jobs=${2:?$usage} seconds=${3:?$usage}
here=$(dirname "$0")
shift 3
[ $# -gt 0 ] || set -- $(cd "$here/corpus" && ls)

search() { # TARGET
	kept=$build/corpus/$1 found=$build/found/$1 log=$build/found/$1.log
	mkdir -p "$kept" "$found"
	: >"$found.failed" # until it has come to its end
	[ -x "$build/bin/fuzz_$1" ] || { echo "no target of this name: $1 (of $(ls -m "$here/corpus"))" >&2; return 1; }
	status=0
	"$build/bin/fuzz_$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
		-print_final_stats=1 -artifact_prefix="$found/" "$kept" "$here/corpus/$1" \
		>"$log" 2>&1 || status=$?
	inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	covered=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
	printf '%-16s %10s inputs, %6s edges: %s\n' "$1" "${inputs:-?}" "${covered:-?}" \
		"$([ $status -eq 0 ] && echo nothing found || echo "FAILED, see $log")"
	if [ $status -eq 0 ]; then
		rm "$found.failed"
	else
		grep -hE "^SUMMARY|Test unit written" "$log" || true
	fi
	return $status
}

if [ "${FUZZ_ONE:-}" ]; then
	search "$FUZZ_ONE"
	exit
fi
# xargs ends with 123 if one of them failed, after all have had their time.
status=0
printf '%s\n' "$@" | xargs -P "$jobs" -I TARGET env FUZZ_ONE=TARGET "$0" "$build" "$jobs" "$seconds" ||
	status=$?
failed=$(for target; do ls "$build/found/$target.failed" 2>/dev/null || true; done | wc -l)
echo "$(($# - failed)) passed, $failed failed"
exit $status
