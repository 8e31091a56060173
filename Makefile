# The two commands: `make demo` (the main job on real data) and `make test`. Each makes its own .venv when there is none.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint fuzz bench docs clean

demo: $(STAMP)
	$(BIN)/chainrule train digits

test: lint
	$(BIN)/pytest -q -n 2

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fuzz: $(STAMP)
	CHAINRULE_FUZZ_EXAMPLES=10000 $(BIN)/pytest -q -n 2 tests/fuzz

bench: $(STAMP)
	$(BIN)/python bench/eager.py
	$(BIN)/python bench/chain.py

docs: $(STAMP)
	$(BIN)/python -m chainrule.numpy_protocol.coverage > docs/numpy.md

# A virtual environment of the project's own, whatever else is active; made again when its needs change.
$(STAMP): pyproject.toml
	env -u VIRTUAL_ENV -u PYTHONHOME -u PYTHONPATH $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[all]" --group dev
	touch $(STAMP)

clean:
	rm -rf $(VENV) .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
