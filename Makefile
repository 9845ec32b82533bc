# Everything from a plain Python: `make demo` shows the loop, `make test` checks the project.
# PIP_* settings are honoured, for example a package index with CPU-only builds of torch.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_FOLDER ?= demo
DEMO_FLAGS ?=
# Each process takes whole files: what a module makes once is made once. A third one computes on two processors
# while others wait for a browser.
PYTEST_FLAGS ?= -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: help demo test check format coverage docs bench clean

help:
	@echo "make demo      set up, run the whole loop on the bundled sample, serve the screens"
	@echo "               (make demo DEMO_FLAGS=--no-serve ends before serving)"
	@echo "make test      set up, then format check, lint, types and all tests"
	@echo "make format    bring the code into its format"
	@echo "make coverage  all tests, and which lines and branches they run (build/coverage/index.html)"
	@echo "make docs      the documentation with the API reference (site/index.html)"
	@echo "make bench     speed and memory as ratios against stated baselines, and figures whose truth is"
	@echo "               known (python -m tests.bench --list names each)"

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, found $$($(PYTHON) --version). Name one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/alworkbench demo --folder $(DEMO_FOLDER) $(DEMO_FLAGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: check
	@PYTHON=$(BIN)/python sh tests/browser/need_chromium.sh
	@sh tests/browser/need_axe.sh
	$(BIN)/python -m pytest $(PYTEST_FLAGS)
	$(BIN)/python -m pytest -n 0 tests/engines -k ray

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

coverage: $(VENV)/.installed-dev
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(PYTEST_FLAGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage html --quiet
	$(BIN)/coverage report

docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(VENV)/.installed-dev
	$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) build site .coverage* *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
