# The front door: `make help` tells what there is. Needs Python 3.11 or later and make; everything else comes into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
WORKERS ?= 2
ARGS ?=

BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input
COMPILE := $(BIN)/uv pip compile -q --universal --generate-hashes --no-header pyproject.toml
RUNTIME := .venv/.runtime
DEV := .venv/.dev

.DEFAULT_GOAL := help
.PHONY: help run test check bench lock

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' Makefile

run: $(RUNTIME) ## Serve on 127.0.0.1:8000; a new database gets the demo agency
	@$(BIN)/cam serve --migrate --demo-if-new $(ARGS) || test $$? = 130

test: $(DEV) ## Run all tests, on SQLite and on PostgreSQL; ARGS="--thorough" or ARGS="-k words" for more or less
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(DEV) ## Look for what tests do not see: style, types, imports, stale generated files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@echo "schema/schema.graphql" && $(BIN)/cam schema | diff -u schema/schema.graphql -
	@echo "models/migrations, console/dist" && $(BIN)/pytest -q -p no:cacheprovider \
		tests/storage/test_migration.py tests/server/test_page.py -k "nothing_differs or build"
	@for name in runtime dev; do \
		echo "requirements/$$name.txt" && cp requirements/$$name.txt .venv/$$name.txt || exit 1; \
		groups=; if [ $$name = dev ]; then groups="--group dev"; fi; \
		$(COMPILE) $$groups -o .venv/$$name.txt >.venv/compile.log 2>&1 || { cat .venv/compile.log; exit 1; }; \
		diff -u requirements/$$name.txt .venv/$$name.txt || exit 1; \
	done

bench: $(DEV) ## Measure against peers and against the limit
	@set -e; for file in benchmarks/[a-z]*.py; do $(BIN)/python -m benchmarks.$$(basename $$file .py) $(ARGS); done

lock: $(DEV) ## Write requirements/ from pyproject.toml, keeping versions; ARGS=--upgrade for newer ones
	@$(COMPILE) $(ARGS) -o requirements/runtime.txt
	@$(COMPILE) $(ARGS) --group dev -o requirements/dev.txt

.venv/pyvenv.cfg:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@"$(PYTHON)" -m venv .venv

$(RUNTIME): .venv/pyvenv.cfg requirements/runtime.txt pyproject.toml
	@echo "Installing what the service needs into .venv …"
	@$(INSTALL) --require-hashes -r requirements/runtime.txt
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): .venv/pyvenv.cfg requirements/dev.txt pyproject.toml
	@echo "Installing what the tests need into .venv …"
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $(RUNTIME) $@
