# The habits of this project. What they need is installed here, in .venv, on first use, and again when its list changes.
# `make` says what there is. `make PYTHON=…` names the Python to make .venv with, where the one found is not the one wanted.

VENV := .venv
FLOOR := .venv-floor
HEAVY := .venv-heavy
PEERS := .venv-peers
BIN := $(VENV)/bin
CODE := $(wildcard llm_net tests examples benchmarks)
SIDE := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder # files of tests side by side, long ones not last
export PYTHON
.NOTPARALLEL: # two installs into one environment would meet

.PHONY: help demo test heavy floor lint types docs bench format models lock clean environment formatting style layers mypy pyright

help: ## say what there is
	@echo "make WHAT, where WHAT is"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' Makefile

demo: models ## see agents agree on a contract, in the words of a model on this machine
	$(BIN)/llm-net demo

test: $(VENV)/.dev models ## run all tests
	$(BIN)/pytest -q $(SIDE) --ignore=tests/carriers --ignore=tests/places
	$(BIN)/pytest -q tests/carriers tests/places # alone: their processes keep to the clock on the wall

heavy: $(HEAVY)/.heavy ## run the tests that need large libraries: Ray, 200 MB
	$(HEAVY)/bin/pytest -q tests/heavy

floor: $(FLOOR)/.floor ## run the core's tests on the oldest versions that pyproject.toml allows
	$(FLOOR)/bin/pytest -q $(filter-out tests/test_docs.py tests/test_house.py,$(wildcard tests/test_*.py))

lint: formatting style layers ## check format, style and import layers

types: mypy pyright ## check types, by two checkers

docs: $(VENV)/.dev $(VENV)/.docs ## build the site, in docs/_build/html
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs docs/_build/html

bench: $(PEERS)/.peers ## measure speed, ours and the peers'
	$(PEERS)/bin/python -m benchmarks

format: $(VENV)/.dev ## mend style where that is safe, and write the format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

models: $(VENV)/.demo ## fetch the weights of the embedded model: once for a user, 98 MB
	$(BIN)/llm-net models pull smollm2

lock: ## write requirements/*.txt anew from pyproject.toml
	scripts/lock

clean: ## remove all that is made here
	rm -rf $(VENV) $(FLOOR) $(HEAVY) $(PEERS) docs/_build .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

# ------------------------------------------------------------------------------------------------ the steps of .ci/run

environment: $(VENV)/.dev $(VENV)/.docs

formatting: $(VENV)/.dev
	$(BIN)/ruff format --check .

style: $(VENV)/.dev
	$(BIN)/ruff check .

layers: $(VENV)/.dev
	$(BIN)/lint-imports

mypy: $(VENV)/.dev
	$(BIN)/mypy $(CODE)

pyright: $(VENV)/.dev
	$(BIN)/pyright --project pyproject.toml --pythonpath $(BIN)/python

# ------------------------------------------------------------------------------------------------ environments

$(VENV)/.%: requirements/%.txt pyproject.toml
	scripts/install $* $(VENV)

$(FLOOR)/.%: requirements/%.txt pyproject.toml
	scripts/install $* $(FLOOR)

$(HEAVY)/.%: requirements/%.txt pyproject.toml
	scripts/install $* $(HEAVY)

$(PEERS)/.%: requirements/%.txt pyproject.toml
	scripts/install $* $(PEERS)
