# Headgate's everyday commands. Each target says what it does and may be repeated at no cost.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# What is missing is installed before it is looked for, also with -j.
.NOTPARALLEL:

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# Its time is that of the last complete installation of what setup.py asks for.
INSTALLED := $(VENV)/.installed
# What exists of the folders with Python in them.
CODE := $(wildcard src tests jobs agents examples benchmarks)
# The intent agent's own environment: 90 MB of weights and a numpy that Flink's cage has no room for.
INTENT := agents/intent/.venv
# Passed on to `make demo`, `demo-workflow`, `test`, `test-fast`, `bench`, `soak`, `chaos`: make demo ARGS="--rate 50"
ARGS ?=

.PHONY: help setup demo demo-workflow test test-fast lint bench soak chaos agent-intent clean packages \
  tools-python tools-jvm

help: ## this list
	@echo "Headgate. Targets (pass options with ARGS=...):"
	@sed -nE 's/^([a-z][a-z-]*):.*## (.*)$$/  \1\t\2/p' Makefile | expand -t 16

packages:
	@PYTHON=$(PYTHON) .ci/packages

tools-python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "Headgate needs Python 3.11 and found no '$(PYTHON)' on the PATH."; \
	  echo "On Debian and Ubuntu: apt-get install python3.11 python3.11-venv"; \
	  echo "Elsewhere, name it: make setup PYTHON=/path/to/python3.11"; exit 1; } >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
	  echo "'$(PYTHON)' is not Python 3.11, the only one that the pinned Flink and Beam share."; \
	  echo "On Debian and Ubuntu: apt-get install python3.11 python3.11-venv"; exit 1; } >&2
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments."; \
	  echo "On Debian and Ubuntu: apt-get install python3.11-venv"; exit 1; } >&2

tools-jvm:
	@command -v java >/dev/null || { \
	  echo "Headgate needs a JDK 17 (for Flink and Kafka) and found no 'java' on the PATH."; \
	  echo "On Debian and Ubuntu: apt-get install openjdk-17-jdk-headless"; exit 1; } >&2
	@java -version 2>&1 | grep -q 'version "17\.' || { \
	  echo "Headgate is tried on a JDK 17 only, and 'java' on the PATH is another:"; \
	  java -version 2>&1 | head -1; \
	  echo "On Debian and Ubuntu: apt-get install openjdk-17-jdk-headless"; exit 1; } >&2
	@command -v mvn >/dev/null || { \
	  echo "Headgate fetches its jars with Maven and found no 'mvn' on the PATH."; \
	  echo "On Debian and Ubuntu: apt-get install maven"; exit 1; } >&2

$(INSTALLED): setup.py | tools-python
	@[ -x $(BIN)/python ] || { echo "Making $(VENV) with $(PYTHON)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing Headgate with [flink,sdk,dev]; the first time takes a few minutes"
	@$(BIN)/python -m pip --version | grep -qE '^pip (2[4-9]|[3-9])' \
	  || $(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[flink,sdk,dev]' \
	  | sed -u '/^Requirement already satisfied/d'
	@touch $@

setup: packages $(INSTALLED) tools-jvm ## make .venv, install everything, fetch the jars
	@echo "Fetching the jars that flink-conf/jars.xml names (nothing to do if they are there)"
	@$(BIN)/python -m headgate.local.jars
	@$(BIN)/python -m headgate.local.reporter
	@echo "Ready: $(BIN)/headgate --help"

demo: setup ## real dialogues through Kafka, Flink and a gRPC agent; verified at the end
	$(BIN)/headgate demo $(ARGS)

demo-workflow: setup ## refunds as durable workflows, killed at; verified at the end
	$(BIN)/headgate demo-workflow $(ARGS)

test: setup ## all tests: unit, simulation, the embedded stack, kills
	$(BIN)/python -m pytest $(ARGS)

test-fast: $(INSTALLED) ## unit tests and simulation only, for the inner loop
	$(BIN)/python -m pytest $(wildcard tests/unit tests/sim) $(ARGS)

lint: $(INSTALLED) ## ruff (rules and format) and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE)

bench: setup ## rates, latencies and CPU per turn up to saturation; table and JSON
	$(BIN)/python -m benchmarks $(ARGS)

soak: setup ## half an hour of load, a kill of something every 30 s; verified at the end
	$(BIN)/python -m benchmarks.soak $(ARGS)

chaos: setup ## only the tests that kill something
	$(BIN)/python -m pytest -m chaos $(ARGS)

$(INTENT)/.installed: agents/intent/requirements.txt setup.py | tools-python
	@[ -x $(INTENT)/bin/python ] || $(PYTHON) -m venv $(INTENT)
	$(INTENT)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps -r agents/intent/requirements.txt
	$(INTENT)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[sdk]'
	@touch $@

agent-intent: $(INTENT)/.installed ## an environment of its own for agents/intent, with the weights
	@echo "Ready: $(INTENT)/bin/python agents/intent/agent.py"

clean: ## end the embedded stack; remove what was built, keep .venv
	@[ ! -x $(BIN)/headgate ] || [ ! -d .headgate ] || $(BIN)/headgate down || true
	rm -rf .headgate build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find src tests $(wildcard agents jobs examples benchmarks) -name __pycache__ -prune \
	  -exec rm -rf {} +
	@echo "Kept $(VENV); remove it by hand to start from nothing"
