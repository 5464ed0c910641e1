# Neurorama. `make app` and `make test` are all a newcomer needs; both set up .venv by themselves.
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8501

.DEFAULT_GOAL := help
.PHONY: help app lab test lint judge traces bench clean

help:  ## what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1  \2/' | expand -t 16

.venv/.made:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else "Neurorama needs Python 3.11 to 3.13; this is %d.%d. Try: make app PYTHON=python3.12" % v[:2])'
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.installed: pyproject.toml | .venv/.made
	$(BIN)/python -m pip install --quiet --editable .
	@$(BIN)/neurorama kernel install --sys-prefix
	@touch $@

.venv/.installed-test: pyproject.toml | .venv/.installed
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

app: .venv/.installed  ## the dashboard on http://localhost:8501
	@$(BIN)/neurorama app --port $(PORT)

lab: .venv/.installed  ## JupyterLab on the notebooks
	@$(BIN)/neurorama lab

test: .venv/.installed-test  ## the whole suite
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: .venv/.installed-test  ## format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

judge: .venv/.installed  ## judge every claim over five seeds, into assets/verdicts.json
	$(BIN)/neurorama judge --all --seeds 5 --workers 2

traces: .venv/.installed  ## record the default run of every exhibit, into assets/traces
	$(BIN)/neurorama traces --all

bench: .venv/.installed  ## the kernels beside what one would take instead
	$(BIN)/neurorama bench

clean:  ## remove the environment and whatever was built
	rm -rf .venv dist build
