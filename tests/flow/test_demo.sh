#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The demo passes with the daemon, fails without one, and leaves nothing behind.
bin=${BREAKOUT_BIN:-build/bin}
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
		>"$scratch/out" 2>&1 && grep -q '^14 passed, 0 failed$' "$scratch/out" ||
		{ cat "$scratch/out"; return 1; }
}

demo_fails_without_a_daemon() {
	! "$bin/breakout-core" demo --breakoutd /bin/false --dir "$scratch/bad" >"$scratch/out" 2>&1 &&
		grep -q 'breakoutd did not start' "$scratch/out"
}

# A simulator that ran to its end has taken its socket and description along.
nothing_is_left() {
	[ ! -e "$scratch/good/core.sock" ] && [ ! -e "$scratch/good/core.json" ] &&
		[ ! -e "$scratch/bad/core.sock" ]
}

check "the demo's fourteen calls are as they should be" demo_passes
check "a daemon that does not start fails the demo" demo_fails_without_a_daemon
check "both leave no simulator behind" nothing_is_left
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
