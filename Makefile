# `make` lists the targets. Everything a target needs it installs itself (.ci/setup).

CARGO ?= cargo
# The doors are all that is measured, and build in half the time.
BENCH = $(CARGO) bench --locked --no-default-features --features doors
# Goes on where one has missed its goal: it says so, and the others are still worth having.
FANOUT = -$(BENCH) --bench fanout --
# A peer that is built from its sources.
WITH ?= xiu
.DEFAULT_GOAL := help
.PHONY: help setup demo test check fmt-check clippy doc deny semver plugin doc-cache deb capi fuzz instructions bench bench-quick

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1|/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

setup: ## install the Debian packages that are missing, for building, demo and tests
	@.ci/setup

demo: ## the server and a publisher to it; prints player URLs (DEMO_PORT=8180 …)
	@.ci/setup build demo
	@examples/demo/run

test: check ## everything that must hold before a change lands
	$(CARGO) test --workspace --locked
	@$(MAKE) --no-print-directory instructions

check: fmt-check clippy doc deny semver plugin ## what can be said without running the tests

fmt-check:
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check

clippy: | setup
	$(CARGO) clippy --locked --lib --no-default-features -- -D warnings
	$(CARGO) clippy --locked --lib --no-default-features --profile test -- -D warnings
	$(CARGO) clippy --locked --lib --no-default-features --features gst -- -D warnings
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings
	$(CARGO) clippy --locked --manifest-path fuzz/Cargo.toml --target-dir target -- -D warnings

doc: | setup
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

deny: | setup
	@.ci/deny

semver: | setup
	@.ci/semver

plugin: | setup ## build the GStreamer plugin, target/debug/libgsth5live.so
	$(CARGO) build --locked -p gst-plugin-h5live

doc-cache: | setup ## renew docs/gst_plugins_cache.json from the element
	H5LIVE_RENEW=1 $(CARGO) test --locked --test element_documentation

deb: ## build Debian packages of server and plugin, into target/debian
	@.ci/setup build deb
	packaging/deb/build target/debian

capi: ## install the plugin with cargo-c into a directory of its own, and look for it there
	@.ci/setup build demo capi
	@.ci/cargo-c

fuzz: ## feed what the core parses with bytes that are made up (FUZZ_SECONDS=60 for each target)
	@.ci/setup build fuzz
	@.ci/fuzz

instructions: | setup ## count the instructions of the hot paths, and compare with those stored
	$(BENCH) --bench instructions

bench: ## measure; see benches/README.md (CHARTS=docs draws, WITH= leaves xiu out)
	@.ci/setup build demo test
	@.ci/node-media-server >/dev/null
	@$(if $(WITH),.ci/$(WITH) >/dev/null)
	$(BENCH) --bench verify
	$(FANOUT) $(if $(CHARTS),--chart $(CHARTS)/fanout.svg)
	$(FANOUT) --tls
	$(FANOUT) --streams 100
	$(FANOUT) --rush
	$(FANOUT) --rush --tls
	$(FANOUT) --memory
	$(FANOUT) --memory --tls
	$(FANOUT) --cores 2
	$(BENCH) --bench doors
	$(BENCH) --bench storm
	$(BENCH) --bench storm -- --tls
	$(CARGO) bench --locked --bench peers -- $(if $(WITH),--with $(WITH)) $(if $(CHARTS),--chart $(CHARTS)/peers.svg)
	$(CARGO) bench --locked --bench withdrawal
	$(BENCH) --bench summary

bench-quick: ## the most of it in less than two minutes
	@.ci/setup build demo
	$(BENCH) --bench verify -- --quick
	$(FANOUT) --quick
	$(FANOUT) --quick --tls
	$(FANOUT) --quick --rush
	$(FANOUT) --quick --memory
	$(BENCH) --bench summary
