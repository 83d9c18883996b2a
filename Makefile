# Everything that a developer or a CI runs. `make demo` and `make test` set up what they need by themselves.

CARGO ?= cargo
SERVERS := tests/servers/install

.PHONY: demo test test-all test-stable faults fuzz servers ci lint deny package cross bench base clean

# The main job with nothing else around: builds the example's services onto the embedded base.
demo:
	./fixtures/demo

# Everything on the way of a pull request: the servers, then both test binaries.
test: servers
	$(CARGO) test
	PATH="$$($(SERVERS) --path):$$PATH" $(CARGO) test --test servers

# `make test`, and what is too slow for every pull request.
test-all: test
	$(SERVERS) peers renderers engine compilers
	PATH="$$($(SERVERS) --path):$$PATH" $(CARGO) test --test it -- --ignored
	PATH="$$($(SERVERS) --path):$$PATH" $(CARGO) test --test servers -- --ignored
	./.ci/emulated

# Builds and tests on the current stable toolchain; `rust-toolchain.toml` pins the oldest that is supported.
test-stable:
	RUSTUP_TOOLCHAIN=stable CARGO_TARGET_DIR="$${CARGO_TARGET_DIR:-target}/stable" $(CARGO) test

# Every way in which a registry can fail, at every step, printed as a table; minutes.
faults: servers
	PATH="$$($(SERVERS) --path):$$PATH" $(CARGO) test --test servers each_failure_at_each -- --ignored --nocapture

# What reads bytes from outside, against any bytes; needs a nightly toolchain and `cargo install cargo-fuzz`.
FUZZ_SECONDS ?= 300
fuzz:
	cd fuzz && for target in documents substitution references selectors settings names answers files images layers; do \
	  mkdir -p corpus/$$target && \
	  $(CARGO) +nightly fuzz run --fuzz-dir . $$target corpus/$$target $$(ls -d seeds/$$target 2>/dev/null) -- -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

# Installs and builds, once a machine, the real servers and tools that tests run against.
servers:
	$(SERVERS)

# Exactly what CI runs.
ci: lint deny test test-stable package cross

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) clippy --test servers -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --document-private-items

# Advisories need a database from the network: the nightly workflow checks them.
deny:
	$(CARGO) deny check bans licenses sources

# Packages ko-rs as for crates.io, installs it from the package, and runs what was installed.
package:
	./.ci/package

# Type-checks for the other systems that people sit at.
cross:
	./.ci/cross

# Side by side with peers and limits, as ratios.
bench: servers
	$(SERVERS) peers
	./benches/run

# Renews the embedded base image from Debian's packages.
base:
	./base-images/renew static

clean:
	$(CARGO) clean
