# One target for each daily act. PYTHON picks the interpreter that makes the virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ROOMS := specs planner runner reports

.PHONY: quickstart test test-slow lint typecheck layers schema clean

$(BIN)/sixnd: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[run,report,test]'
	touch $@

# The whole loop on this machine's CPU: install, plan, train on real text, report.
quickstart: $(BIN)/sixnd
	$(BIN)/sixnd plan specs/examples/quickstart.yaml
	$(BIN)/sixnd run specs/examples/quickstart.yaml

# Everything that must hold: style, types, layers, tests.
test: lint typecheck layers
	$(BIN)/python -m pytest

# Real trainings of more than a minute.
test-slow: $(BIN)/sixnd
	$(BIN)/python -m pytest -m slow

lint: $(BIN)/sixnd
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy sees the rooms as sixnd.* through a folder of links.
typecheck: $(BIN)/sixnd
	mkdir -p .ns/sixnd
	for room in $(ROOMS); do ln -sfn ../../$$room .ns/sixnd/$$room; done
	for file in sixnd/*.py sixnd/py.typed; do ln -sfn ../../$$file .ns/sixnd/$$(basename $$file); done
	$(BIN)/mypy .ns/sixnd

layers: $(BIN)/sixnd
	$(BIN)/lint-imports --no-cache

# Write the JSON Schemas that editors use from the models.
schema: $(BIN)/sixnd
	$(BIN)/sixnd schema --write specs/schema

clean:
	rm -rf $(VENV) .ns build dist *.egg-info
