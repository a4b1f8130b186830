#!/bin/sh
# The tests that need torch, ultralytics or LeRobot's training, in an environment of its own (.venv-train), for a machine
# without a GPU.
set -eu
VENV="${TRAIN_VENV:-.venv-train}"
sh deploy/training/environment.sh "$VENV"
"$VENV/bin/python" -m pytest -m train -rs "$@"
export HF_HUB_OFFLINE=1
exec "$VENV/bin/python" -m pytest -m lerobot -rs tests/policy "$@"
