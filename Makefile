# oncorespond: every command a newcomer needs. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SHARED ?= ../shared
export MLFLOW_DISABLE_TELEMETRY := true
export BENTOML_DO_NOT_TRACK := True
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help install demo test check serve ui bench soak lock cohorts models clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

# Hash mode refuses editable installs, so the project itself is a second step without dependencies.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info[:2] <= (3, 12); sys.exit(0 if ok else "oncorespond needs Python 3.11 or 3.12, this is %s; name one with make PYTHON=/path/to/python3.11" % sys.version.split()[0])'
	@echo "Setting up $(VENV) from requirements.lock (about two minutes, once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $(STAMP)

install: $(STAMP) ## make the .venv (Python 3.11 or 3.12), nothing else

demo: $(STAMP) ## synthetic cohorts, two tracked experiments, two explained answers, a report
	@$(BIN)/oncorespond demo

test: $(STAMP) ## run the tests
	@$(BIN)/python -m pytest -n 2

check: $(STAMP) ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

serve: $(STAMP) ## serve the promoted models on 127.0.0.1:3000 (those of the demo when there are no others)
	@$(BIN)/oncorespond serve --or-demo

ui: $(STAMP) ## MLflow's pages over the tracked experiments (those of the demo when there are no others)
	@$(BIN)/oncorespond ui --or-demo

bench: $(STAMP) ## benchmarks as ratios, into docs/benchmarks.md
	@$(BIN)/python -m tests.bench
	@$(BIN)/python -m pytest -m bench -n 0

soak: $(STAMP) ## the long tests, at their whole size
	@ORP_SOAK=1 $(BIN)/python -m pytest -m "soak or not soak"

lock: ## resolve pyproject.toml anew into requirements.lock (hashes, no hosts)
	@$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/pip install --quiet uv
	@$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --all-extras pyproject.toml -o requirements.lock
	@rm -rf $(VENV)-lock

cohorts: $(STAMP) ## build every cohort of experiments/cohorts from SHARED=../shared into cohorts/
	@$(BIN)/oncorespond cohort build-all --shared $(SHARED)

models: $(STAMP) ## train and promote both families from cohorts/
	@$(BIN)/oncorespond train experiments/checkpoint.yaml
	@$(BIN)/oncorespond train experiments/targeted.yaml
	@$(BIN)/oncorespond promote checkpoint-response
	@$(BIN)/oncorespond promote targeted-response

clean: ## remove the environment and everything the demo made
	@rm -rf $(VENV) .demo
