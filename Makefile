# Everything this project can do, by name. `make` alone lists it; CI runs `make test demo`.
#
# Each check is a target of its own, so that one can be run alone: `make lint`. `make test` runs them
# in order, stops at the first that fails, and make names it.

SHELL := /bin/sh
.SHELLFLAGS := -euc
.NOTPARALLEL:
.DEFAULT_GOAL := help

CARGO ?= cargo
PREFIX ?= /usr/local
DESTDIR ?=
# Of `make bench`: one kind of work, one face, and the folder where what was measured is kept.
ONLY ?=
FACE ?=
RECORD ?=
# Of each target of `make fuzz`.
SECONDS ?= 60
# Of the library, below PREFIX.
LIBDIR ?= lib
MANDIR = $(DESTDIR)$(PREFIX)/share/man/man1
# Where the checks of the library install it.
LIBRARY_PREFIX = $(CURDIR)/target/installed
MSRV := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
# The version that is installed where there is none.
CARGO_DENY_VERSION := 0.20.2
CARGO_C_VERSION := 0.10.24
# The version that must be there: another one makes another header.
CBINDGEN_VERSION := 0.29.4
# Continuous integration has no terminal, and nobody to answer a question.
export CARGO_TERM_PROGRESS_WHEN ?= never
# What cargo installs for the checks is found where cargo puts it.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin

heading = @printf '\n=== %s: %s\n' '$@' $(1)

.PHONY: help
help: ## Lists the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  make %-15s %s\n", $$1, $$2 }'

## What users want

.PHONY: build demo bench bench-check bench-rivals profile fuzz soak doc install install-program install-library wheel addon uninstall clean
build: ## Builds the program, optimised: target/release/p2pchan
	$(CARGO) build --release -p p2pchan-cli

demo: ## Shows the main job, without any network: five processes find each other and talk
	$(call heading,'processes that share a phrase')
	$(CARGO) build -p p2pchan-cli --bin p2pchan --example demo
	@python=$$(bindings/python/check environment); packages=$$(bindings/node/check environment); \
	 P2PCHAN_PYTHON="$$python" P2PCHAN_NODE="$${packages:+node}" NODE_PATH="$$packages" \
	 $(CARGO) run -q -p p2pchan-cli --example demo < /dev/null

bench: ## Measures speed, each figure beside raw TCP in the same run; ONLY=flood and FACE=rust|quic|c|python|node choose, RECORD=docs/benchmarks keeps
	@ONLY='$(ONLY)' FACE='$(FACE)' RECORD='$(RECORD)' tests/bench/run

bench-check: ## Measures again what docs/benchmarks has, and says which ratios have moved; ONLY and FACE as for bench
	@ONLY='$(ONLY)' FACE='$(FACE)' tests/bench/run --check docs/benchmarks

profile: ## Draws where the processor's time goes in floods and the round trip: docs/benchmarks/profile-*.svg
	tests/bench/profile

bench-rivals: ## Measures speed beside iroh, libp2p, libzmq, rustls, hyperdht and iroh's packages, in the same run
	tests/bench/rivals/run

fuzz: ## Throws arbitrary bytes at the protocol and calls at the C interface, SECONDS (60) for each target; needs nightly Rust
	$(CARGO) test -p p2pchan-fuzz
	tests/fuzz/run $(SECONDS)
	ffi/tests/random $(SECONDS)

soak: ## Moves two million packets of three protocols over one UDP port, optimised
	$(CARGO) test --release -p p2pchan --lib two_million_packets -- --ignored --nocapture

doc: ## Builds the documentation of the Rust interface: target/doc/p2pchan
	$(CARGO) doc --workspace --no-deps

install: install-program install-library ## Installs the program and the C library below PREFIX

install-program: build ## Installs the program, its manual pages and completions
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(MANDIR)' \
	  '$(DESTDIR)$(PREFIX)/share/bash-completion/completions' \
	  '$(DESTDIR)$(PREFIX)/share/zsh/site-functions' \
	  '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d'
	install -s -m 755 target/release/p2pchan '$(DESTDIR)$(PREFIX)/bin/p2pchan'
	target/release/p2pchan man > '$(MANDIR)/p2pchan.1'
	for command in join send recv phrase status explain reload testnet; do \
	  target/release/p2pchan man $$command > "$(MANDIR)/p2pchan-$$command.1"; done
	target/release/p2pchan completions bash > '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/p2pchan'
	target/release/p2pchan completions zsh > '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_p2pchan'
	target/release/p2pchan completions fish > '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/p2pchan.fish'

install-library: cargo-c ## Installs the C library, its header and p2pchan.pc
	$(CARGO) cinstall --profile library -p p2pchan-ffi $(if $(DESTDIR),--destdir '$(DESTDIR)') \
	  --prefix '$(PREFIX)' --libdir '$(LIBDIR)'
	strip '$(DESTDIR)$(PREFIX)/$(LIBDIR)/libp2pchan.so'
	strip --strip-debug '$(DESTDIR)$(PREFIX)/$(LIBDIR)/libp2pchan.a'

wheel: ## Builds the Python package: target/wheels
	bindings/python/check wheel

addon: ## Builds the packages for Node: target/npm
	bindings/node/check addon

.PHONY: cargo-c
cargo-c:
	@$(CARGO) cinstall --version 2>/dev/null || { \
	   echo "cargo-c is missing; building version $(CARGO_C_VERSION), which takes some minutes"; \
	   $(CARGO) install --debug --locked --version $(CARGO_C_VERSION) cargo-c; }

uninstall: ## Removes what install put there
	rm -f '$(DESTDIR)$(PREFIX)/include/p2pchan.h' '$(DESTDIR)$(PREFIX)/$(LIBDIR)/pkgconfig/p2pchan.pc' \
	  '$(DESTDIR)$(PREFIX)/$(LIBDIR)'/libp2pchan.so* '$(DESTDIR)$(PREFIX)/$(LIBDIR)/libp2pchan.a'
	rm -f '$(DESTDIR)$(PREFIX)/bin/p2pchan' '$(MANDIR)/p2pchan.1' \
	  '$(MANDIR)/p2pchan-join.1' '$(MANDIR)/p2pchan-send.1' '$(MANDIR)/p2pchan-recv.1' \
	  '$(MANDIR)/p2pchan-phrase.1' '$(MANDIR)/p2pchan-status.1' '$(MANDIR)/p2pchan-explain.1' \
	  '$(MANDIR)/p2pchan-reload.1' '$(MANDIR)/p2pchan-testnet.1' \
	  '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/p2pchan' \
	  '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_p2pchan' \
	  '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/p2pchan.fish'

clean: ## Removes what was built
	$(CARGO) clean

## Checks, in the order of `make test`: what fails fast comes first

.PHONY: test tree format scripts layers settings header vectors lint deny rustdoc unit doctest python node scenarios rules sanitize races instructions interop linkage symbols size msrv
test: tree format scripts layers settings header vectors lint deny rustdoc unit doctest python node scenarios rules sanitize races instructions interop linkage symbols size msrv ## Runs every check, and installs what they lack
	@printf '\n=== all checks passed: %s\n' '$^'

tree: ## Checks that the repository stands on its own
	$(call heading,'no file leans on what lies beside the repository')
	@found=$$(git grep -n -I -e '\.\./shared' -- . ':!Makefile' || true); \
	 if [ -n "$$found" ]; then \
	   printf '%s\n' "$$found" 'These lines name a folder outside the repository; say it here instead.'; exit 1; fi
	@for manifest in $$(git ls-files '*/Cargo.toml'); do \
	   grep -A1 -x '\[lints\]' "$$manifest" | grep -q -x 'workspace = true' \
	     || { echo "$$manifest does not take over the lints of the workspace; add [lints] workspace = true"; exit 1; }; done

format: ## Checks the format of the Rust code
	$(call heading,'rustfmt')
	$(CARGO) fmt --all --check

scripts: ## Checks the syntax of all scripts
	$(call heading,'shell and Python scripts can be read')
	@for file in $$(git grep -I -l -E '^#!.*\b(ba)?sh\b' -- . ':!*.md' ':!Makefile'); do \
	   if sed -n 1p "$$file" | grep -q bash; then bash -n "$$file"; \
	   elif sed -n 1p "$$file" | grep -q '^#!'; then sh -n "$$file"; fi; done
	@for file in $$(git ls-files '*.py'); do \
	   python3 -c 'import ast, sys; ast.parse(open(sys.argv[1], encoding="utf-8").read(), sys.argv[1])' "$$file"; done

layers: ## Checks that packages and modules import only downwards
	$(call heading,'who imports whom')
	tests/layers

settings: ## Checks that docs/settings.md is what the table says
	$(call heading,'docs/settings.md is up to date')
	$(CARGO) run -q -p p2pchan-proto --example settings | diff -u docs/settings.md - \
	  || { echo 'Run: cargo run -p p2pchan-proto --example settings > docs/settings.md'; exit 1; }
	tests/abi/settings

header: ## Checks that include/p2pchan.h is what ffi/ says, and that compilers take it
	$(call heading,'the header of the C interface')
	@cbindgen --version 2>/dev/null | grep -q -x 'cbindgen $(subst .,\.,$(CBINDGEN_VERSION))' || { \
	   echo "cbindgen $(CBINDGEN_VERSION) is missing; building it, which takes a minute"; \
	   $(CARGO) install --debug --locked --version $(CBINDGEN_VERSION) cbindgen; }
	tests/abi/header

vectors: ## Recomputes the test vectors of the protocol without our Rust
	$(call heading,'an independent program agrees on the bytes')
	tests/vectors/run < /dev/null

lint: ## Checks the Rust code with clippy; a warning is an error
	$(call heading,'clippy on all targets')
	$(CARGO) clippy --workspace --all-targets -- -D warnings

deny: ## Checks licences, origins and bans of all dependencies
	$(call heading,'licences and sources and bans of all dependencies')
	@$(CARGO) deny --version 2>/dev/null || { \
	   echo "cargo-deny is missing; building version $(CARGO_DENY_VERSION), which takes some minutes"; \
	   $(CARGO) install --debug --locked --version $(CARGO_DENY_VERSION) cargo-deny; }
	$(CARGO) deny --workspace --all-features check bans licenses sources
	@echo 'NOT checked: security advisories. Their list is a git repository that not every machine can'
	@echo 'reach; where it can be: cargo deny check advisories'

rustdoc: ## Checks the documentation; a warning is an error
	$(call heading,'rustdoc with what is private')
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --document-private-items

unit: ## Runs all Rust tests except those in documentation
	$(call heading,'all Rust tests')
	@if $(CARGO) nextest --version > /dev/null 2>&1; then \
	   $(CARGO) nextest run --workspace --no-fail-fast; \
	 else $(CARGO) test --workspace --lib --bins --tests --examples --no-fail-fast; fi

doctest: ## Runs the examples in the documentation
	$(call heading,'the examples in the documentation')
	$(CARGO) test --workspace --doc

rules: ## Checks the rules of the C interface by programs in C, linked shared and static
	$(call heading,'programs in C')
	ffi/tests/run shared < /dev/null
	ffi/tests/run static < /dev/null

sanitize: ## Runs the programs in C under AddressSanitizer and valgrind
	$(call heading,'programs in C whose memory is watched')
	ffi/tests/run asan-shared < /dev/null
	ffi/tests/run asan-static < /dev/null
	ffi/tests/run valgrind null untouched service drop release free leave fork main_may largest random < /dev/null

races: ## Runs the programs in C under ThreadSanitizer; needs nightly Rust
	$(call heading,'programs in C whose threads are watched')
	ffi/tests/run tsan < /dev/null

instructions: ## Checks that a message costs no more instructions than its budget
	$(call heading,'instructions of the hot paths')
	tests/bench/instructions < /dev/null

python: ## Runs the tests of the Python interface, with each Python from 3.11 on that is found
	$(call heading,'the Python interface')
	bindings/python/check < /dev/null

node: ## Runs the tests of the Node interface, with each Node from 20 on that is found, or that npm has
	$(call heading,'the Node interface')
	bindings/node/check < /dev/null

scenarios: ## Plays what every language does, each with each, in processes of their own
	$(call heading,'behaviours that all languages share')
	tests/scenarios/run < /dev/null

interop: ## Runs the tests against other implementations
	$(call heading,'other implementations')
	@if [ -x tests/interop/run ]; then tests/interop/run < /dev/null; else echo 'there are none yet'; fi

# What follows is checked on one optimised build, installed as a user would.
.PHONY: library
library:
	$(call heading,'the optimised C library')
	@$(MAKE) --no-print-directory install-library DESTDIR= LIBDIR=lib PREFIX='$(LIBRARY_PREFIX)'

linkage: library ## Links a program outside the repository with the C library, shared and static
	$(call heading,'cc and pkg-config are enough')
	tests/abi/linkage '$(LIBRARY_PREFIX)'

symbols: library ## Checks that the C library exports what was promised, and nothing else
	$(call heading,'the symbols and types of docs/abi.md')
	tests/abi/symbols '$(LIBRARY_PREFIX)/lib/libp2pchan.so'

size: library ## Checks that the C library is small
	$(call heading,'how large the shared library is')
	tests/abi/size '$(LIBRARY_PREFIX)/lib/libp2pchan.so'

msrv: ## Checks that the oldest toolchain we promise compiles everything
	$(call heading,'Rust $(MSRV)')
	@if rustc --version | grep -q '^rustc $(subst .,\.,$(MSRV))\.'; then \
	   echo 'It is the toolchain in use: all of the above was checked with it.'; \
	 else \
	   rustup run $(MSRV) cargo --version 2>/dev/null \
	     || rustup toolchain install $(MSRV) --profile minimal; \
	   CARGO_TARGET_DIR=target/msrv rustup run $(MSRV) cargo check --workspace --all-targets; fi
