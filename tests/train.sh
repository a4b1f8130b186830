#!/bin/sh
# The tests that need torch, in an environment of its own (.venv-train), for a machine without a GPU.
#
# Plain `pip install '.[train]'` is right on a machine with an NVIDIA GPU: it takes PyPI's torch and gigabytes of CUDA. Here
# the CPU build of torch is tried first, where pip is configured to find it and then at the index of its makers. PyPI's
# torchvision does not import next to that build by itself (deploy/training/cpu_torchvision.py is the remedy), and pip
# would replace torch to suit it: hence --no-deps, and the trainer's own light dependencies by name.
set -eu
VENV="${TRAIN_VENV:-.venv-train}"
TORCH=2.13.0
TORCHVISION=0.28.0
CPU_INDEX=https://download.pytorch.org/whl/cpu
pip() { "$VENV/bin/python" -m pip --disable-pip-version-check "$@"; }

[ -x "$VENV/bin/python" ] || "${PYTHON:-python3}" -m venv "$VENV"
if [ ! -e "$VENV/.complete" ] || [ pyproject.toml -nt "$VENV/.complete" ]; then
    pip install --quiet --editable '.[cpu,sim,eval]' pytest hypothesis onnx onnxslim
    if pip install --quiet "torch==$TORCH+cpu" 2>/dev/null; then
        pip install --quiet --no-deps "torchvision==$TORCHVISION" ultralytics
        pip install --quiet pillow polars psutil requests
    elif pip install --quiet --index-url "$CPU_INDEX" "torch==$TORCH" "torchvision==$TORCHVISION" 2>/dev/null; then
        pip install --quiet --no-deps ultralytics
        pip install --quiet pillow polars psutil requests
    else
        echo "no CPU build of torch $TORCH found: installing the extra 'train' as PyPI has it" >&2
        pip install --quiet --editable '.[cpu,sim,eval,train]'
    fi
    touch "$VENV/.complete"
fi
exec "$VENV/bin/python" -m pytest -m train -rs "$@"
