# The front door: each target installs what is missing (.ci/deps), lets meson build, and runs something.
# `make help` lists them. JOBS=2 bounds the parallel jobs.

NINJA = ninja $(if $(JOBS),-j$(JOBS))
TEST = meson test --no-rebuild --print-errorlogs $(if $(JOBS),--num-processes $(JOBS))
# Builds what these tests need, and no more.
TSAN_TEST = meson test -C build-tsan --suite engine --print-errorlogs $(if $(JOBS),--num-processes $(JOBS))
RELEASE = --buildtype=release -Doptimization=2
ASAN = -Db_sanitize=address,undefined -Db_lundef=false
TSAN = -Db_sanitize=thread -Db_lundef=false -Dweb=disabled

# Sanitizers stop at the first finding.
export UBSAN_OPTIONS = halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS = halt_on_error=1:second_deadlock_stack=1

.PHONY: all help run test soak check bench fuzz deps docs format install clean
.DEFAULT_GOAL = all

all: build/build.ninja ## build build/meterloom
	@$(NINJA) -C build --quiet

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  \1\t/p' Makefile

run: all ## run the demonstration: a simulated bus, the gateway, a head-end
	@graphs/demo.sh build/meterloom

test: build-asan/build.ninja build-tsan/build.ninja ## all tests under the sanitizers, with reduced counts
	@$(NINJA) -C build-asan --quiet
	@$(TEST) -C build-asan
	@$(TSAN_TEST)

soak: export METERLOOM_SOAK = 1
soak: build-asan/build.ninja build-tsan/build.ninja ## the same tests with full counts
	@$(NINJA) -C build-asan --quiet
	@$(TEST) -C build-asan --timeout-multiplier 20
	@$(TSAN_TEST) --timeout-multiplier 20

check: build-check/build.ninja ## format, borders, links, clang, clang-tidy, cppcheck, generated docs
	@$(NINJA) -C build-check --quiet
	@tests/check/check build-check $(JOBS)

bench: build-bench/build.ninja ## the figures, each with the machine and the limit beside it
	@$(NINJA) -C build-bench --quiet all meson-benchmark-prereq
	@meson test -C build-bench --no-rebuild --benchmark --verbose --num-processes 1

SECONDS = 600
fuzz: build-fuzz/build.ninja ## each fuzzer for SECONDS (600)
	@$(NINJA) -C build-fuzz --quiet
	@tests/fuzz/run build-fuzz $(SECONDS)

docs: all ## write docs/nodes.md from the declarations
	@build/meterloom nodes --markdown >docs/nodes.md

format: ## lay out the sources with clang-format
	@.ci/deps check
	@git ls-files '*.c' '*.h' | xargs clang-format -i

deps: ## install what is missing for all of this
	@.ci/deps build test check fuzz

install: all ## install the program (DESTDIR, and meson's own prefix)
	@meson install -C build --no-rebuild --strip

clean: ## remove all that was built
	@rm -rf build build-asan build-tsan build-check build-bench build-fuzz

build/build.ninja: | deps-build
	@meson setup build $(RELEASE) -Dtests=false
build-asan/build.ninja: | deps-test
	@meson setup build-asan $(ASAN)
build-tsan/build.ninja: | deps-test
	@meson setup build-tsan $(TSAN)
build-bench/build.ninja: | deps-test
	@meson setup build-bench $(RELEASE)
build-check/build.ninja: | deps-check
	@CC=clang meson setup build-check -Dweb=disabled
build-fuzz/build.ninja: | deps-fuzz
	@CC=clang meson setup build-fuzz -Dfuzz=true -Dweb=disabled

# Quick where all is there.
.PHONY: deps-build deps-test deps-check deps-fuzz
deps-build:
	@.ci/deps build
deps-test:
	@.ci/deps build test
deps-check:
	@.ci/deps build test check fuzz
deps-fuzz:
	@.ci/deps build test fuzz
