# The commands of this repository. `make help` lists them; CI runs the same ones.

CARGO ?= cargo
# A folder with other people's OpenAPI documents for the larger tests. It is no part of this repository; tests that do
# not find it say that they are skipped.
export PORTWAY_CORPUS ?= $(abspath ../shared/corpus)

.DEFAULT_GOAL := help
.PHONY: help build release demo test edits faults soak lint bench docs fuzz

help: ## Lists the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Builds the optimised binary, target/release/portway
	$(CARGO) build --release --locked -p portway

release: ## Builds the binary that is given out, twice: target/release/portway, a tenth faster; a quarter of an hour
	scripts/release.sh

demo: ## Starts three sample modules and a gateway; without a terminal it tries them itself and ends
	@if [ -t 0 ]; then \
		$(CARGO) run --locked -q -p portway -- demo; \
	else \
		$(CARGO) run --locked -q -p portway -- demo --exercise; \
	fi

test: ## Runs all tests; a Rust toolchain and a C compiler are all that is needed
	$(CARGO) test --locked --workspace

edits: ## 3,000 edits of the documents, ten a second for five minutes, under calls of every kind
	PORTWAY_EDITS=3000 $(CARGO) test --locked -p portway --test it edits:: -- --nocapture

faults: ## Slow peers, floods and broken networks at full size, optimised, with figures; minutes, on a quiet machine
	PORTWAY_FAULTS=full $(CARGO) test --release --locked -p portway --test faults -- --nocapture --test-threads=1
	PORTWAY_FAULTS=full $(CARGO) test --release --locked -p portway --test it -- --nocapture f13_
	PORTWAY_FAULTS=full $(CARGO) test --release --locked -p portway-proxy --test attacks -- --nocapture f3_a_million

soak: ## A mixed load for ten minutes (SOAK_MINUTES): memory and files stay flat, nothing panics, no answer is wrong
	SOAK_MINUTES=$${SOAK_MINUTES:-10} $(CARGO) test --release --locked -p portway --test soak -- --nocapture

lint: ## Format, clippy without warnings, the fuzz targets compile, and, if cargo-deny is installed, licences, bans and sources
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	CARGO_TARGET_DIR="$${CARGO_TARGET_DIR:-$(CURDIR)/target}" $(CARGO) check --locked --manifest-path fuzz/Cargo.toml --bins
	@if command -v cargo-deny >/dev/null 2>&1; then \
		$(CARGO) fetch --locked --quiet; \
		$(CARGO) deny --offline check bans licenses sources; \
	else \
		echo "cargo-deny is not installed: 'make test' checks licences, bans and sources of deny.toml, too"; \
	fi

bench: ## Runs the benches of all rooms
	$(CARGO) bench --locked --workspace

docs: ## Writes the pages and files that are made from the code
	UPDATE_DOCS=1 $(CARGO) test --locked --workspace docs

fuzz: ## Lists the fuzz targets; run one with `cargo +nightly fuzz run TARGET` in fuzz/
	@ls fuzz/fuzz_targets
