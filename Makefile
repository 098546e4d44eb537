# `make demo` and `make test` set up everything that they need in .venv. Nothing is installed outside it.
SHELL := /bin/sh
BIN := .venv/bin
OUT ?= demo-output
.DEFAULT_GOAL := help
SETUP := pyproject.toml scripts/bootstrap.sh
PYTEST := $(BIN)/python -m pytest

.PHONY: help demo test test-slow lint types format docs bench sbc screenshots lock clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

# An environment with every extra holds the core too, so its stamp counts for both.
.venv/.core: $(SETUP) requirements-core.lock
	@if [ -e .venv/.all ]; then rm -f .venv/.all && scripts/bootstrap.sh all && touch .venv/.all; else scripts/bootstrap.sh core; fi
	@touch $@

.venv/.all: $(SETUP) requirements.lock
	@scripts/bootstrap.sh all
	@touch .venv/.core $@

demo: .venv/.core  ## simulate a study, check it, fuse it, and compare with the known truth (no torch)
	$(BIN)/ppaint demo --out $(OUT)

# Lint, types and docs come first, so that the last line is pytest's own summary.
test: lint types docs  ## lint, format check, types, docs, then tests with doctests (every extra)
	$(PYTEST) --numprocesses=auto --maxprocesses=4 --dist=worksteal --cov --cov-report=term

test-slow: .venv/.all  ## the tests that take minutes or need the network
	$(PYTEST) -m slow

lint: .venv/.all  ## ruff check and format check
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/.all  ## type checker, strict
	$(BIN)/mypy

format: .venv/.all  ## rewrite the sources in the project's format
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

# Not --quiet: it keeps warnings from being counted, and --strict then lets them pass.
docs: .venv/.all  ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: .venv/.all  ## run every benchmark
	@for script in benchmarks/bench_*.py; do [ -e "$$script" ] || continue; echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

sbc: .venv/.all  ## simulation-based calibration of the joint model; goes on where it stopped (about half an hour)
	$(BIN)/python benchmarks/bench_sbc.py --many 0
	$(BIN)/python benchmarks/draw_figures.py

screenshots: .venv/.all  ## take the pictures of the report for the documentation (needs Chromium)
	$(BIN)/python scripts/screenshots.py

UV_COMPILE := uv pip compile pyproject.toml --universal --python-version 3.12 --generate-hashes --no-header --quiet $(LOCK_ARGS)

lock:  ## compile both lock files again (needs uv; LOCK_ARGS=--upgrade for newer releases)
	$(UV_COMPILE) --all-extras -c scripts/lock-constraints.txt -o requirements.lock
	$(UV_COMPILE) -c requirements.lock -o requirements-core.lock

clean:  ## remove the environment and everything that was built
	rm -rf .venv site dist build demo-output .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
