# Every target sets up what it needs: a virtual environment in .venv with the locked requirements.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/.ready
PYTEST_ARGS ?= -n auto --maxprocesses 4 --dist loadgroup
LOCK = $(BIN)/uv pip compile --quiet --generate-hashes --universal --no-emit-index-url --python-version 3.11 pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help demo up test check bench format lock clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## a photograph goes in, a sandboxed function makes its thumbnail
	@$(BIN)/python examples/thumbnail/run.py

up: $(READY) ## run a node here, until Ctrl-C
	@$(BIN)/cumulet up

test: $(READY) ## run the tests; PYTEST_ARGS="tests/services/sqs -x" for some of them
	@$(BIN)/python -m pytest -q $(PYTEST_ARGS)

check: $(READY) ## lint, types, layers, generated files, duplicates, dependencies
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/generate_api.py --check
	$(BIN)/pylint --disable=all --enable=duplicate-code src/cumulet
	$(BIN)/deptry src

bench: $(READY) ## measure; results and commands are in benchmarks/RESULTS.md
	@$(BIN)/python benchmarks/run.py

format: $(READY) ## format the code and apply safe fixes
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

lock: $(READY) ## lock the requirements again after a change of pyproject.toml
	$(LOCK) --output-file requirements/runtime.txt
	$(LOCK) --extra dev --output-file requirements/dev.txt

clean: ## remove what was built, but no node's data
	rm -rf .venv build dist .mypy_cache .ruff_cache .hypothesis

$(READY): requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later with venv is needed: install it, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "making .venv with $(PYTHON) ..."; $(PYTHON) -m venv .venv; }
	@echo "installing the locked requirements ..."
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q src  # as for an installed package: a node starts in half the time
	@touch $@
