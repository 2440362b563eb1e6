# Two commands need nothing but Python 3.11+ and make: `make run` and `make test`.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: run test coverage check bench soak clean
.DEFAULT_GOAL := run

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "buildwatch needs Python 3.11 or newer, this is " + sys.version)'
	$(PYTHON) -m venv .venv

# The product alone, as a user has it.
.venv/run: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --editable .
	@touch $@

# And what its tests need.
.venv/dev: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --editable '.[dev]'
	@touch $@ .venv/run

run: .venv/run
	$(BIN)/buildwatch demo $(ARGS)

test: .venv/dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4 $(ARGS)

# The same, counting branches (95 % at least): it takes twice as long.
coverage: .venv/dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --cov --cov-report=term:skip-covered $(ARGS)

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory test

bench: .venv/dev
	$(BIN)/python -m bench $(ARGS)

# 1,000 kills, half of them on each database; takes about an hour.
soak: .venv/dev
	BUILDWATCH_TEST_KILLS=$${BUILDWATCH_TEST_KILLS:-500} $(BIN)/python -m pytest tests/faults/test_kill.py $(ARGS)

clean:
	rm -rf .venv .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
