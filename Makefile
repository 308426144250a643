# Everything starts here: `make help`.

DATA ?= demo-data
SECONDS_EACH ?= 600

.DEFAULT_GOAL := help
.PHONY: help deps console run test unit check fmt bench bench-reads deb fuzz requirements clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## Install what building and testing need (Debian; asks sudo if need be)
	@sh scripts/install-deps.sh test

console: ## Build the web console, which is then built into the binary
	@sh scripts/install-deps.sh build
	@sh scripts/console.sh

run: console ## Build and run the demo: a CA, clients, a policy, logins; stays up
	cargo run --release -- demo --data $(DATA)

test: deps console check ## All tests, with real peers, and a short run of each fuzz target
	npm test --silent --prefix web/console
	cargo test
	sh fuzz/run.sh 10
	sh scripts/requirements.sh

unit: ## The tests that need no peer
	cargo test --lib

check: ## Format, lints, licences and advisories of dependencies
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	sh scripts/deny.sh

fmt: ## Put the code in its form
	cargo fmt

bench: console ## CPU per operation, beside FreeRADIUS and the in-memory floor; the first view of the console
	@sh scripts/install-deps.sh test
	cargo build --release --bins --benches
	sh scripts/bench.sh
	sh scripts/bench-accounting.sh
	sh scripts/bench-scale.sh
	sh scripts/bench-console.sh
	sh scripts/bench-posture.sh

deb: console ## A Debian package, in target/deb
	cargo build --release --locked --bin cordon
	@sh packaging/deb/build.sh target/release/cordon target/deb

bench-reads: ## How long lists and searches take at size; see the script for sizes
	@sh scripts/install-deps.sh test
	cargo build --release --bin cordon
	sh scripts/bench-reads.sh

fuzz: ## Each fuzz target for SECONDS_EACH seconds (default 600)
	@sh scripts/install-deps.sh build
	sh fuzz/run.sh $(SECONDS_EACH)

requirements: ## Which requirements are shown, by which test
	@sh scripts/requirements.sh

clean: ## Remove what was built, and the demo's data
	cargo clean
	rm -rf demo-data fuzz/target
