# Two commands do everything on a machine with Python and make: `make demo` and `make test`.

PYTHON ?= python3
BIN := .venv/bin
# A real tiny model where there is one, else a random tiny Llama.
MODEL := $(firstword $(wildcard ../shared/models/stories260k) tiny)

.PHONY: demo test proof lint types layers unit

demo: .venv/installed
	$(BIN)/planish antislop $(MODEL)

test: lint types layers unit

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed
	$(BIN)/mypy

layers: .venv/installed
	$(BIN)/lint-imports

unit: .venv/installed
	$(BIN)/pytest

proof: .venv/installed
	$(BIN)/pytest -m slow

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@
