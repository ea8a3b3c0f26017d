# Everything a person does with this repository; `make` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
BIN := .venv/bin
# DEMO=0 runs without demo traffic. ARGS is passed on, as in: make run ARGS="--port 9000"
DEMO ?= 1
ARGS ?=

RUN_PACKAGES := .venv/run-packages
TEST_PACKAGES := .venv/test-packages

ALONE := tests/chaos tests/browser tests/integration/test_benchmarks_short.py

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(RUN_PACKAGES) ## Run everything here, with demo traffic, until Ctrl-C (DEMO=0: without)
	@exec $(BIN)/python manage.py up $(if $(filter 0,$(DEMO)),--no-demo,--demo) $(ARGS)

.PHONY: up
up: $(RUN_PACKAGES) ## Run everything in the background, without demo traffic; returns when it is ready
	@exec $(BIN)/python manage.py up --detach --no-demo $(ARGS)

.PHONY: down
down: $(RUN_PACKAGES) ## Stop what `make run` or `make up` started here
	@exec $(BIN)/python manage.py down

.PHONY: test
test: lint ## Lint, types, architecture, and every test, on real servers (ARGS: only these)
ifeq ($(strip $(ARGS)),)
	@# Storms and benchmarks want the machine for themselves; the rest three at a time, which wait more than they work, each with servers of its own.
	$(BIN)/python -m pytest $(ALONE)
	$(BIN)/python -m pytest -n 3 --dist loadfile $(addprefix --ignore=,$(ALONE))
else
	$(BIN)/python -m pytest $(ARGS)
endif

.PHONY: storm
storm: $(TEST_PACKAGES) ## The long form of the payments storm: 3,000 real orders (about 3 minutes)
	HOLDFAST_STORM_ORDERS=3000 $(BIN)/python -m pytest -s tests/chaos/test_payments_storm.py

.PHONY: events
events: $(TEST_PACKAGES) ## The long forms of the log's and the lake's storms: 200,000 events, 50 exporters killed
	HOLDFAST_EVENTS=200000 HOLDFAST_EXPORTER_KILLS=50 \
		$(BIN)/python -m pytest -s tests/concurrency/test_events_exactly_once.py tests/crash/test_lake_crash.py

.PHONY: gameday
gameday: $(RUN_PACKAGES) ## Hold every game day on stacks of their own (about 45 minutes; ARGS: only these)
	$(BIN)/python manage.py gameday --own-stack $(ARGS)

.PHONY: quarter
quarter: $(RUN_PACKAGES) ## Replay the quarter of ../shared/data and count it three ways (about 20 minutes)
	$(BIN)/python manage.py quarter $(ARGS)

.PHONY: lint
lint: $(TEST_PACKAGES) ## Style, types, the law between the rooms, missing migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	@# Without a server it cannot compare with what was applied, which is not the question here.
	$(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

.PHONY: bench
bench: $(TEST_PACKAGES) ## Measure against peers on this machine (docs/benchmarks.md)
	$(BIN)/python -m benchmarks $(ARGS)

.PHONY: tools
tools: $(TEST_PACKAGES) ## Measure the resilience tools beside libraries (docs/benchmarks-tools.md)
	$(BIN)/python -m benchmarks.tools $(ARGS)

.PHONY: clean
clean: $(RUN_PACKAGES) ## Stop, and delete the data and every cache; the packages stay
	$(BIN)/python manage.py down
	@# Root's data may lie outside, with a link to it (config/stack/account.py).
	if [ -L .holdfast/data ]; then rm -rf "$$(readlink -f .holdfast/data)"; fi
	rm -rf .holdfast .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

# Debian splits ensurepip off from Python: then pip of the system, if there is one, installs pip.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Holdfast needs Python 3.11 or later; $(PYTHON) is older. Name one: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv .venv 2>/dev/null \
		|| { $(PYTHON) -m venv --clear --without-pip .venv && $(PYTHON) -m pip --python $@ install -q pip; }

$(RUN_PACKAGES): requirements.txt requirements-embedded.txt | $(BIN)/python
	@echo "Installing packages; this takes a minute or two once."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-embedded.txt
	@touch $@

# The path file lets `pytest` and other programs of the venv import this folder, as `python -m` does.
$(TEST_PACKAGES): $(RUN_PACKAGES) requirements-dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-dev.txt
	@pwd > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/holdfast.pth"
	@touch $@
