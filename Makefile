# unigate: `make run` starts it, `make test` checks everything. Both need Python 3.11 or later; the tests also take Node 20
# or later and PostgreSQL.

.DEFAULT_GOAL := help
.PHONY: help install run test check bench lock postgres node clean

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# The first of these that is new enough; `make PYTHON=/path/to/python3 ...` names another.
PYTHONS := python3.13 python3.12 python3.11 python3.14 python3
PYTHON ?= $(shell for p in $(PYTHONS); do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

install: $(VENV)/.run ## make .venv with the unigate command in it

run: install ## start the gateway with a sandbox on 127.0.0.1:8080
	@exec $(BIN)/unigate demo --host 127.0.0.1 --port 8080

test: $(VENV)/.test postgres node check ## check and test everything
	$(BIN)/python -m pytest -n auto --every-endpoint

check: $(VENV)/.test ## the checks that run nothing: style, types, imports, spelling, sizes
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@for file in $$(find tests -mindepth 2 -name conftest.py); do echo "mypy $$file"; $(BIN)/mypy "$$file" || exit 1; done
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python -m pytest -q tests/rules

bench: $(VENV)/.test ## measure it beside nginx and others
	$(BIN)/python -m bench

lock: ## choose newer versions of what we depend on (needs uv)
	uv pip compile $(LOCK) pyproject.toml requirements/build.in -o requirements/run.txt
	uv pip compile $(LOCK) --extra test -c requirements/run.txt pyproject.toml requirements/build.in -o requirements/test.txt

LOCK := --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links

NO_PACKAGES := { echo "the packages could not be installed; the lines above say why" >&2; exit 1; }

clean: ## remove what was made
	rm -rf tests/node/node_modules
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "unigate needs Python 3.11 or later; none of these is it: $(PYTHONS)" >&2; \
		echo "Install one (Debian: apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' >/dev/null 2>&1 || { \
		echo "$(PYTHON) cannot make virtual environments: it lacks the modules venv and ensurepip" >&2; \
		echo "Install them (Debian: apt-get install $(notdir $(PYTHON))-venv), or name another Python: make PYTHON=/path/to/python3" >&2; \
		exit 1; }
	@echo "making $(VENV) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); echo "$(VENV) could not be made; the lines above say why" >&2; exit 1; }

$(VENV)/.run: pyproject.toml requirements/run.txt | $(BIN)/python
	@echo "installing what unigate needs"
	@$(PIP) install --require-hashes -r requirements/run.txt || $(NO_PACKAGES)
	@$(PIP) install --no-deps --no-build-isolation --editable . || $(NO_PACKAGES)
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements/test.txt
	@echo "installing what the tests need"
	@$(PIP) install --require-hashes -r requirements/test.txt || $(NO_PACKAGES)
	@touch $@

# The tests start a PostgreSQL of their own from the installed programs.
postgres: $(VENV)/.test
	@if PYTHONPATH=tests $(BIN)/python -c 'from support.postgres import programs; programs()' 2>/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing PostgreSQL for the tests"; \
		{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends postgresql >/dev/null; } \
			|| { echo "PostgreSQL could not be installed; the lines above say why" >&2; $(NO_POSTGRES); }; \
	else $(NO_POSTGRES); \
	fi

NO_POSTGRES := echo "the tests need PostgreSQL's programs (initdb, pg_ctl):" >&2; \
	echo "  Debian, Ubuntu: sudo apt-get install postgresql     macOS: brew install postgresql" >&2; exit 1

# The official SDK for Node calls the gateway too.
node: $(VENV)/.test
	@if $(NODE_WORKS); then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing Node for the tests"; \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends nodejs npm >/dev/null || :; \
	fi
	@$(NODE_WORKS) || { echo "the tests need Node 20 or later with npm; there is" \
		"$$(node --version 2>/dev/null || echo no node), npm $$(npm --version 2>/dev/null || echo is missing)" >&2; \
		echo "  Debian 13, Ubuntu 25.04: sudo apt-get install nodejs npm     macOS: brew install node" >&2; exit 1; }
	@$(MAKE) -s $(NODE_MADE)

NODE_WORKS := node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null && npm --version >/dev/null 2>&1
NODE_MADE := tests/node/node_modules/.package-lock.json

$(NODE_MADE): tests/node/package.json tests/node/package-lock.json
	@echo "installing the packages of the tests for Node"
	@cd tests/node && npm ci --no-audit --no-fund --loglevel=error || { \
		echo "the packages could not be installed; the lines above say why" >&2; exit 1; }
	@touch $@
