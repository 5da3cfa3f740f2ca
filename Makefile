# Sources -> a working set-up, a demonstration, a verdict. `make` alone lists the targets.

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
DEMO := corpora/digits
BEST := runs/digits/version_*/checkpoints/best.ckpt
# The first Python from 3.10 to 3.13 that can make a virtual environment; or say it yourself: make PYTHON=python3.12 setup
PYTHON ?= $(shell for candidate in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	$$candidate -c 'import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))' \
	>/dev/null 2>&1 && { echo $$candidate; break; }; done)

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format docs lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv and install what requirements.lock pins, and this package

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: no Python 3.10 to 3.13 with venv was found; install one (on Debian also" \
	"the package python3-venv), or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: setup ## train on the embedded spoken digits (under 5 minutes on two cores), then transcribe with WER
	$(BIN)/python train.py
	@echo "A held-out file, and then all of them:"
	$(BIN)/python transcribe.py --model "$$(ls -t $(BEST) | head -n 1)" "$$(sed -n '2s|^\([^\t]*\).*|$(DEMO)/\1|p' $(DEMO)/test.tsv)" --reference $(DEMO)/test.tsv --errors
	$(BIN)/python transcribe.py --model "$$(ls -t $(BEST) | head -n 1)" $(DEMO)/test.tsv --output-dir runs/texts

test: lint ## set up, lint, check the types, run the tests
	$(BIN)/python -m pytest

lint: setup ## ruff and mypy, changing nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## draw the pictures in docs/ again
	$(BIN)/python docs/draw_ctc.py docs/ctc.svg
	$(BIN)/python docs/draw_lstm.py docs/lstm.svg

lock: setup ## pin the newest versions that pyproject.toml allows, for every supported Python at once
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra shards --universal --python-version 3.10 --upgrade \
	--no-emit-index-url --custom-compile-command "make lock" --quiet --output-file requirements.lock

clean: ## remove the virtual environment and what tools left behind; runs/ and corpora/ stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
