# make demo          the reference task in simulation, from nothing (makes .venv)
# make test          lint, types, import contract and tests
# make test-pythons  the tests on each of Python 3.10, 3.11 and 3.12 that this machine has
# make test-train    what needs torch, in an environment of its own
# make train-policy  an ACT policy from nothing: demonstrations, training, export, a scoring run (EPISODES, SEED, STEPS)
# make test-lerobot  what needs LeRobot, in environments of their own: 0.4 on Python 3.11, 0.6 on 3.12
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# A process a core, up to four; one that has nothing left to do takes tests from another.
PARALLEL := -n logical --maxprocesses 4 --dist worksteal

.PHONY: demo test lint test-pythons test-train test-lerobot train-policy clean

demo: $(VENV)/.demo
	$(BIN)/eyehand run

test: $(VENV)/.dev lint
	$(BIN)/python -m pytest $(PARALLEL)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-pythons:
	sh tests/pythons.sh

test-train:
	sh tests/train.sh

test-lerobot:
	sh tests/lerobot.sh

# What is there is gone on with: a run that was interrupted loses at most an episode, or the steps since a checkpoint.
EPISODES ?= 101
SEED ?= 0
STEPS ?= 8000
THREADS ?= 1
SCORED ?= 20
OUT ?= runs/policy
TRAIN_VENV ?= .venv-train
EYEHAND_TRAIN := HF_HUB_OFFLINE=1 $(TRAIN_VENV)/bin/eyehand

train-policy:
	@test -n "$(OUT)" || { echo "OUT is empty: name a folder"; exit 2; }
	sh deploy/training/environment.sh $(TRAIN_VENV)
	$(EYEHAND_TRAIN) collect --episodes $(EPISODES) --moving 0.35 --seed $(SEED) --jobs $$(nproc) --out $(OUT)/demonstrations --resume
	$(EYEHAND_TRAIN) train policy --dataset $(OUT)/demonstrations --steps $(STEPS) --threads $(THREADS) --seed $(SEED) --out $(OUT)/training --resume
	rm -rf $(OUT)/model $(OUT)/scored
	$(EYEHAND_TRAIN) export policy $(OUT)/training --dataset $(OUT)/demonstrations --out $(OUT)/model
	$(EYEHAND_TRAIN) run --episodes $(SCORED) --seed 900000 --profile orin_agx --set policy.type=learned --set policy.model=$(OUT)/model/model.onnx --out $(OUT)/scored

$(BIN)/python:
	$(PYTHON) -c 'import sys; ok = (3, 10) <= sys.version_info[:2] <= (3, 12); sys.exit(0 if ok else "eyehand needs Python 3.10 to 3.12, this is %d.%d: make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cpu,sim]'
	touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cpu,sim,realsense,viz,dev]'
	touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
