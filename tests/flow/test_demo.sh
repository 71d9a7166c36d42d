#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The demo passes with the daemon, fails without one, and leaves nothing behind.
bin=${BREAKOUT_BIN:-build/bin}
samples=$(dirname "$0")/../../config/samples
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0 failed=0

check() { # sentence, command...
	local sentence=$1
	shift
	if "$@"; then
		echo "ok   $sentence"
		passed=$((passed + 1))
	else
		echo "FAIL $sentence"
		failed=$((failed + 1))
	fi
}

demo_passes() {
	"$bin/breakout-core" demo --breakoutd "$bin/breakoutd" --dir "$scratch/good" \
		--samples "$samples" \
		>"$scratch/out" 2>&1 && grep -q '^29 passed, 0 failed$' "$scratch/out" ||
		{ cat "$scratch/out"; return 1; }
}

demo_fails_without_a_daemon() {
	! "$bin/breakout-core" demo --breakoutd /bin/false --dir "$scratch/bad" >"$scratch/out" 2>&1 &&
		grep -q 'breakoutd did not start' "$scratch/out"
}

without_samples_only_the_route_types_are_shown() {
	"$bin/breakout-core" demo --breakoutd "$bin/breakoutd" --only rejects \
		--dir "$scratch/few" >"$scratch/out" 2>&1 &&
		grep -q '^1 passed, 0 failed$' "$scratch/out" &&
		! "$bin/breakout-core" demo --breakoutd "$bin/breakoutd" --only BYOD \
			--dir "$scratch/few" >"$scratch/out" 2>&1
}

wrong_samples_are_said() {
	! "$bin/breakout-core" demo --breakoutd "$bin/breakoutd" --only BYOD --samples "$scratch" \
		--dir "$scratch/wrong" >"$scratch/out" 2>&1 &&
		grep -q 'byod.yaml: No such file' "$scratch/out"
}

# A simulator that ran to its end has taken its socket and description along.
nothing_is_left() {
	[ -z "$(find "$scratch" -name core.sock -o -name core.json)" ]
}

check "the demo's 29 calls are as they should be" demo_passes
check "a daemon that does not start fails the demo" demo_fails_without_a_daemon
check "without samples it shows the route types" without_samples_only_the_route_types_are_shown
check "a folder without the samples is named" wrong_samples_are_said
check "all leave no simulator behind" nothing_is_left
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
