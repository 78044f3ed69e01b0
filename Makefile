# `make help` lists the targets. Each one installs what it needs that is missing (scripts/install-dependencies).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# The file `make run` starts the gateway with, if it is there.
CONFIG ?= mcp-gateway.json
# More arguments: make run ARGS='--port 3002', make test ARGS='-k restart' (for pytest).
ARGS ?=
FUZZ_ARGS ?=
# Suites of real servers with deadlines.
HTTP_TESTS := HTTPTransportTests
REDIS_TESTS := (RESP|RedisStore)Tests
# Test processes that run at the same time.
JOBS ?= 2

.PHONY: help run build release test unit interop interop-cluster interop-core fuzz lint cluster chaos bench soak clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: release ## Build for speed and serve on http://127.0.0.1:3001/mcp (CONFIG=mcp-gateway.json, ARGS=...)
	@config=(); if [[ -f '$(CONFIG)' ]]; then config=(--config '$(CONFIG)'); fi; \
	echo "==> mcp-gateway serve $${config[*]} $(ARGS)"; \
	exec .build/release/mcp-gateway serve "$${config[@]}" $(ARGS)

build: ## Debug build
	@scripts/install-dependencies --build
	@echo '==> swift build'
	@swift build

release: ## Release build (some minutes the first time)
	@scripts/install-dependencies --build
	@echo '==> swift build -c release'
	@swift build -c release

test: unit interop interop-core fuzz ## Every test: Swift Testing, other people's clients against one gateway and several, fuzzing
	@echo '==> all tests passed'

unit: ## Swift tests only
	@scripts/install-dependencies --test
	@echo '==> swift build --build-tests'
	@swift build --build-tests
	@# Apart: real servers beside a thousand tests on few processors are slow enough to be taken for dead.
	@for part in "--skip $(HTTP_TESTS)|$(REDIS_TESTS)" "--filter $(HTTP_TESTS)" "--filter $(REDIS_TESTS)"; do \
		echo "==> swift test $$part"; \
		swift test --skip-build $$part || { echo '==> again: a busy machine fails tests with deadlines, a bug fails twice'; swift test --skip-build $$part; }; \
	done

interop: ## Interop tests only (ARGS='-k resumption' picks some)
	$(call run-interop)

interop-cluster: ## The same through NGINX before three gateways, each request to the next one (ARGS='-m core': in short)
	$(call run-interop,--through-cluster 3)

interop-core: # Of those, the ones that depend most on where a request lands
	$(call run-interop,--through-cluster 3 -m core)

# $(1): more arguments of pytest; with them ARGS may pick none (exit code 5).
define run-interop
	@scripts/install-dependencies --test
	@echo '==> swift build (debug)'
	@swift build
	@echo '==> pytest Tests/Interop $(1)'
	@export MCP_GATEWAY_BINARY="$${MCP_GATEWAY_BINARY:-$$PWD/.build/debug/mcp-gateway}"; \
	.venv/bin/python -m pytest Tests/Interop $(1) -n $(JOBS) $(ARGS) || { \
		[[ $$? != 5 || -z '$(1)' ]] || exit 0; \
		echo '==> again, one at a time: a busy machine fails tests with deadlines, a bug fails twice'; \
		.venv/bin/python -m pytest Tests/Interop $(1) --last-failed --last-failed-no-failures none; }
endef

fuzz: ## Fuzz what reads bytes from outside, 10 s for each target (FUZZ_ARGS='--seconds 300 --target json')
	@scripts/install-dependencies --build
	@Tests/Fuzz/run $(FUZZ_ARGS)

lint: ## Check the format of every Swift file (swift format, .swift-format)
	@scripts/install-dependencies --build
	@echo '==> swift format lint'
	@swift format lint --strict --recursive --parallel Sources Tests Package.swift

cluster: release ## Run three gateways as one on this machine: Redis, Sentinels, NGINX (ARGS='--instances 2 --base-port 8080')
	@scripts/install-dependencies --cluster
	@echo '==> scripts/cluster $(ARGS)'
	@exec scripts/cluster $(ARGS)

chaos: release ## Kill, freeze, restart and cut off parts of a cluster under load, and account for every call (ARGS='--seed 7 kill')
	@scripts/install-dependencies --test
	@echo '==> scripts/chaos $(ARGS)'
	@exec scripts/chaos $(ARGS)

bench: release ## Measure a release build beside its peers (benchmarks/README.md)
	@scripts/install-dependencies --bench
	@echo '==> benchmarks/run'
	@benchmarks/run $(ARGS)

soak: release ## Run a release build for minutes under clients that come, stall, vanish and return (ARGS='--seconds 600')
	@echo '==> benchmarks/soak'
	@benchmarks/soak $(ARGS)

clean: ## Remove everything that was built or installed here
	rm -rf .build .build-fuzz .venv .venv-bench
