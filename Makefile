# Two commands do everything on a machine with Python and make: `make demo` and `make test`.

PYTHON ?= python3
BIN := .venv/bin
.PHONY: demo test proof bench lint types layers unit

demo: .venv/installed
	$(BIN)/planish demo

test: lint types layers unit

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed
	$(BIN)/mypy

layers: .venv/installed
	$(BIN)/lint-imports

unit: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist loadfile

proof: .venv/installed
	$(BIN)/pytest -m slow

bench: .venv/installed
	for claim in start decode ftpo served sandbox slop_profile whole_texts; do $(BIN)/python benchmarks/$$claim.py; done

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@
