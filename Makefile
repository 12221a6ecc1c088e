# Two commands do all their own set-up: `make demo` and `make test`. Needs Python 3.11+ and pip; nothing else.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?=
OUT ?= out

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint types layers bench bench-serve soak clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

demo: $(VENV)/.demo  ## compare four models on real ratings (or on DATA=my.csv), recommend, write report and model to out/
	$(BIN)/edgewise demo --out "$(OUT)" $(if $(DATA),--data "$(DATA)")

test: $(VENV)/.all lint types layers  ## lint, types, import layers and the fast tests
	$(BIN)/python -m pytest -n auto --dist loadgroup

test-all: $(VENV)/.all lint types layers  ## the same, with the slow tests and those that open a browser
	$(BIN)/python -m pytest -n auto --dist loadgroup -m ""

lint: $(VENV)/.all
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks

types: $(VENV)/.all
	$(BIN)/mypy

layers: $(VENV)/.all
	$(BIN)/lint-imports

bench: $(VENV)/.all  ## the README's figures, beside peers in environments of their own (long; GOWALLA=folder with train and test)
	$(BIN)/python benchmarks/run.py $(if $(GOWALLA),--gowalla "$(GOWALLA)")

bench-serve: $(VENV)/.all  ## the service under load, on its own and with all sources on, and a start with a million users
	$(BIN)/python benchmarks/serve.py
	$(BIN)/python benchmarks/serve.py --set 'serve.sources=["model", "similar", "popular"]' --set rerank.diversity=0.2
	$(BIN)/python benchmarks/serve.py --users 1000000 --events-per-user 10 --start-only

soak: $(VENV)/.all  ## kill writing commands, stores, databases, servers, refits, consumers and a broker at random moments, many times; 10,000 malformed requests
	$(BIN)/python tests/soak/kill_while_writing.py
	$(BIN)/python tests/soak/kill_store_writers.py
	$(BIN)/python tests/soak/kill_store_writers.py --server postgres
	$(BIN)/python tests/soak/kill_store_writers.py --server redis
	$(BIN)/python -m tests.soak.kill_servers
	$(BIN)/python -m tests.soak.kill_consumers
	$(BIN)/python tests/soak/kill_refits.py
	EDGEWISE_MALFORMED=160 $(BIN)/python -m pytest -m "" tests/serve/test_malformed.py

clean:  ## remove what the other targets made
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "edgewise needs Python 3.11 or newer; name one: make PYTHON=python3.12 demo"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml
	@echo "installing edgewise and what it needs into $(VENV) (once; a few minutes on a slow line)"
	$(BIN)/python -m pip install --quiet -e '.[demo]'
	@touch $@

$(VENV)/.all: $(VENV)/bin/python pyproject.toml
	@echo "installing edgewise, its extras and the test tools into $(VENV) (once)"
	$(BIN)/python -m pip install --quiet -e '.[all]'
	@touch $@ $(VENV)/.demo
