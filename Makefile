# `make demo` builds in release and runs the main job on sample_reports; `make test` runs the tests.
# Everything that is built lies outside the clone, in the user's cache, so that a second clone starts warm.

export DMARCASE_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dmarcase
export CARGO_TARGET_DIR ?= $(DMARCASE_CACHE)/target

# A checked prebuilt DuckDB where there is one, else the feature `bundled` compiles it.
ifeq ($(BUNDLED),)
DUCKDB := $(shell scripts/libduckdb.sh)
endif
ifneq ($(DUCKDB),)
export DUCKDB_LIB_DIR := $(DUCKDB)
FLAGS := --no-default-features
endif
CARGO := cargo
RELEASE := --locked --release $(FLAGS)
DMARCASE := $(CARGO_TARGET_DIR)/release/dmarcase
STORE := $(DMARCASE_CACHE)/demo.duckdb
DEMO := $(DMARCASE) --config sample_reports/dmarcase.toml --db $(STORE)

.PHONY: demo build test lint samples bench

demo: build
	@rm -f $(STORE)*
	$(DEMO) import sample_reports/rua
	@echo
	$(DEMO) rates
	@echo
	$(DEMO) senders --unknown
	@echo
	$(DEMO) gaps --as-of 2026-11-02
	@echo
	@echo "The store is $(STORE); ask it: $(DEMO) sql"

build:
	$(CARGO) build $(RELEASE)

test:
	scripts/test-services.sh
	$(CARGO) test $(RELEASE) --features corpus --no-fail-fast

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy $(RELEASE) --features corpus --all-targets -- -D warnings

samples:
	$(CARGO) run $(RELEASE) --features corpus --bin dmarcase-corpus -- story sample_reports

# Benchmarks build with the profile `bench`, which is `release`.
bench: bench-import bench-queries
bench-%:
	$(CARGO) bench --locked $(FLAGS) --features corpus --bench $*
