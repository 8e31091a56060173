# The two commands: `make demo` (the main job on real data) and `make test`. Each makes its own .venv when there is none.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV := $(VENV)/.installed-dev

.PHONY: demo test lint fuzz bench bench-peers docs clean

demo: $(STAMP)
	$(BIN)/chainrule train digits

test: lint
	$(BIN)/pytest -q -n 2

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fuzz: $(DEV)
	CHAINRULE_FUZZ_EXAMPLES=10000 $(BIN)/pytest -q -n 2 tests/fuzz tests/program/test_random_programs.py
	CHAINRULE_KILLS=20 $(BIN)/pytest -q -n 2 tests/training/test_checkpoint.py -k killed

# bench/README.md tells what each of these measures. It takes about half an hour; the peers need 3 GB, once.
bench: bench-peers
	$(BIN)/python bench/steps.py
	$(BIN)/python bench/steps.py --activations
	$(BIN)/python bench/fit.py
	$(BIN)/python bench/products.py
	$(BIN)/python bench/elementary.py
	$(BIN)/python bench/cold.py --peers
	$(BIN)/python bench/memory.py
	$(BIN)/python bench/cheap_gradient.py
	$(BIN)/python bench/eager.py
	$(BIN)/python bench/chain.py

bench-peers: $(STAMP)
	$(BIN)/python bench/peers.py

docs: $(STAMP)
	$(BIN)/python -m chainrule.numpy_protocol.coverage > docs/numpy.md

# A virtual environment of the project's own, whatever else is active; made again when its needs change.
$(STAMP): pyproject.toml
	@echo "making $(VENV), once: about half a minute"
	env -u VIRTUAL_ENV -u PYTHONHOME -u PYTHONPATH $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[all]"
	touch $@

$(DEV): $(STAMP)
	@echo "installing what the tests need, once"
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

clean:
	rm -rf $(VENV) .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
