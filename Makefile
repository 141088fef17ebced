# One target for each daily act. PYTHON picks the interpreter that makes the virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ROOMS := specs planner runner reports
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install quickstart proof test test-integration soak lint links typecheck layers schema clean

help:
	@echo "make quickstart   install, plan, train on this CPU, report (about ten minutes)"
	@echo "make proof        predict a run from a ladder of small ones, train it, hold them together: an hour on two idle cores"
	@echo "make test         style, types, layers, tests"
	@echo "make test-integration   real trainings, clusters and processes: half an hour"
	@echo "make soak         one run put to every fault there is, against one left alone"
	@echo "make lint | typecheck | layers | schema | install | clean"

# Installed anew whenever what is to be installed changes.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[run,data,cluster,report,test]'
	touch $@

install: $(INSTALLED)

# The whole loop on this machine's CPU: install, plan, train on real text, report.
quickstart: install
	$(BIN)/sixnd plan specs/examples/quickstart.yaml
	$(BIN)/sixnd run specs/examples/quickstart.yaml

# The whole product as one experiment; goes on where it was cut off. Writes docs/proof/ and the README's head.
proof: install
	$(BIN)/python -m tests.benchmarks.proof runs/proof
	$(BIN)/python -m tests.benchmarks.proof_page runs/proof

# Everything that must hold: style, types, layers, tests.
test: lint typecheck layers
	$(BIN)/python -m pytest

# Real trainings, clusters and processes of more than about twenty seconds.
test-integration: install
	$(BIN)/python -m pytest -m integration

# One run put to every fault there is, against one that is left alone: see docs/soak.md.
soak: install
	$(BIN)/python -m pytest -m soak --capture=no

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy and import-linter see the rooms as sixnd.* through a folder of links.
links:
	mkdir -p .ns/sixnd
	find .ns -xtype l -delete
	for room in $(ROOMS); do ln -sfn ../../$$room .ns/sixnd/$$room; done
	for file in sixnd/*.py sixnd/py.typed; do ln -sfn ../../$$file .ns/sixnd/$$(basename $$file); done

typecheck: install links
	$(BIN)/mypy .ns/sixnd

layers: install links
	cd .ns && $(abspath $(BIN))/lint-imports --no-cache ../pyproject.toml

# Write from the models the JSON Schemas that editors use, and the reference that people read.
schema: install
	$(BIN)/sixnd schema --write specs/schema --reference docs

clean:
	rm -rf $(VENV) .ns build dist *.egg-info
