# SPDX-License-Identifier: Apache-2.0
#
# A thin front to CMake: what a newcomer types.
#   make            build into build/bin
#   make demo       build, start the simulated core and the daemon, place calls
#   make check      build and run every test (ctest)
#   make check-asan the same tests under AddressSanitizer and UBSan
#   make check-tsan the unit tests under ThreadSanitizer
#   make deb        Debian packages in build-deb/;  make check-package: try them in a clean Debian
#   make bench      cost per call (next to Kamailio), per relayed packet and per upsert
#   make bench-media   relayed packets next to rtpengine, with CALLS=400, SECONDS=2, ROUNDS=2
#   make soak       CALLS=200 calls with media for MINUTES=30, replaced as they end: nothing grows
#   make bench-registrar  upserts on one and four connections, and a million registrations: the registrar alone, the daemon with NUMBERS=1000000, SECONDS=60
#   make bench-fleet  a node whose PostgreSQL is 0 to 50 ms away, with NUMBERS=20000, SECONDS=30, CONSENTS=1000
#   make fuzz       each parser of ours against made-up input for SECONDS=600, TARGETS="sdp lite"
#   make simulate the registrar in SEEDS=10000 made-up worlds, FLEETS=1000 with several nodes, TENANTS=1000 with two cores and as many whose tenants come and go, in fleets too, from seed FROM=1; and a week of NUMBERS=100000
#   make format     clang-format over our sources;  make lint: clang-tidy
.DEFAULT_GOAL := all
JOBS ?= $(shell nproc)
# Tests that compute take three jobs each, those that wait for programs one.
TEST_JOBS ?= $(shell expr 3 \* $$(nproc))
# A test that goes by a peer's timers may lose its processor to another: it has a second
# try, and the output shows that it took one.
CTEST_FLAGS ?= --output-on-failure --no-tests=error --stop-on-failure --repeat until-pass:2
OURS = $(shell git ls-files '*.c' '*.h')

.PHONY: all build build-all configure check check-asan check-tsan fuzz demo bench bench-media soak \
	bench-registrar bench-fleet simulate deb check-package format lint clean \
	packages-build packages-check packages-bench packages-package packages-fuzz

all: build

# In the order written, whatever -j says: cmake looks for what apt installs.
.NOTPARALLEL:

packages-build packages-check packages-bench packages-package packages-fuzz:
	@packaging/install-packages.sh $(@:packages-%=%)

build: packages-build configure
	@cmake --build build -j $(JOBS) --target programs

configure:
	@mkdir -p build
	@cmake --preset dev >build/configure.txt 2>&1 || { cat build/configure.txt; exit 1; }

# Everything, tests and benchmarks too.
build-all: packages-check configure
	@cmake --build build -j $(JOBS)

check: build-all
	ctest --test-dir build -j $(TEST_JOBS) $(CTEST_FLAGS)

check-asan: packages-check
	cmake --preset asan
	cmake --build build-asan -j $(JOBS)
	ctest --test-dir build-asan -j $(TEST_JOBS) $(CTEST_FLAGS)

# The libraries we stand on are not built for TSan: tests/tsan.supp names them.
check-tsan: packages-check
	cmake --preset tsan
	cmake --build build-tsan -j $(JOBS)
	TSAN_OPTIONS="suppressions=$(CURDIR)/tests/tsan.supp" ctest --test-dir build-tsan -L unit $(CTEST_FLAGS)

# What it finds stays in build-fuzz/found.
fuzz: packages-fuzz
	@cmake --preset fuzz >/dev/null
	@cmake --build build-fuzz -j $(JOBS) --target fuzz-targets
	@tests/fuzz/run.sh build-fuzz $(JOBS) $(or $(SECONDS),600) $(TARGETS)

demo: build
	@build/bin/breakout-core demo --breakoutd build/bin/breakoutd --samples config/samples

bench: packages-bench build-all
	@tests/perf/run.sh build

bench-media: packages-bench configure
	@cmake --build build -j $(JOBS) --target bench_media bench_relay
	@tests/perf/run.sh build media $(or $(CALLS),400) $(or $(SECONDS),2) $(or $(ROUNDS),2)

soak: packages-check build-all
	@BREAKOUT_BIN=build/bin PYTHONPATH=tests/interop:tests/flow /usr/bin/python3 tests/perf/soak.py \
		$(or $(MINUTES),30) $(or $(CALLS),200)

deb: packages-package
	@packaging/make-deb.sh build-deb

# In a folder with a Debian 12 of its own: as root, and with an archive in reach.
check-package: deb
	@tests/package/deb.sh build-deb

bench-registrar: packages-bench build-all
	@build/bin/bench_upsert 100000 1
	@build/bin/bench_upsert 100000 4
	@build/bin/bench_upsert 10000 1 715
	@build/bin/bench_registrar
	@BREAKOUT_BIN=build/bin PYTHONPATH=tests/interop:tests/flow /usr/bin/python3 tests/perf/bench_daemon.py \
		$(or $(NUMBERS),1000000) $(or $(SECONDS),60)

bench-fleet: packages-bench build-all
	@BREAKOUT_BIN=build/bin PYTHONPATH=tests/interop:tests/flow /usr/bin/python3 tests/perf/bench_fleet.py \
		$(or $(NUMBERS),20000) $(or $(SECONDS),30) $(or $(CONSENTS),1000)

simulate: packages-check configure
	@cmake --build build -j $(JOBS) --target simulate
	@build/bin/simulate --seeds $(or $(SEEDS),10000) --from $(or $(FROM),1) tests/simulate/seeds.txt
	@build/bin/simulate --fleet --seeds $(or $(FLEETS),1000) --from $(or $(FROM),1) tests/simulate/fleet_seeds.txt
	@build/bin/simulate --tenants --seeds $(or $(TENANTS),1000) --from $(or $(FROM),1)
	@build/bin/simulate --reloads --seeds $(or $(TENANTS),1000) --from $(or $(FROM),1) tests/simulate/reload_seeds.txt
	@build/bin/simulate --fleet-reloads --seeds $(or $(TENANTS),1000) --from $(or $(FROM),1) tests/simulate/fleet_reload_seeds.txt
	@build/bin/simulate --week --numbers $(or $(NUMBERS),100000)

format:
	clang-format -i $(OURS)

lint: build-all
	clang-format --dry-run -Werror $(OURS)
	clang-tidy -p build --quiet $(filter %.c,$(filter-out tests/%,$(OURS)))

clean:
	rm -rf build build-release build-asan build-tsan build-fuzz
