#!/bin/sh
# Makes an environment that trains detectors and policies on a machine without a GPU:
#
#     sh deploy/training/environment.sh .venv-train
#
# `pip install '.[train,train-policy]'` is right on a machine with an NVIDIA GPU: it takes PyPI's torch and gigabytes of
# CUDA. Here the CPU build of torch is tried first, where pip is configured to find it and then at the index of its makers.
# PyPI's torchvision does not import next to that build by itself (deploy/training/cpu_torchvision.py is the remedy), and
# pip would replace torch to suit it, as it would for LeRobot: hence --no-deps, and the light dependencies by name. LeRobot
# 0.4.4 is the last for Python 3.10 and 3.11; what it wants for cameras, motors, videos and the network is left out.
set -eu
VENV="${1:?usage: sh deploy/training/environment.sh FOLDER}"
cd "$(dirname "$0")/../.."
TORCH=2.13.0
TORCHVISION=0.28.0
LEROBOT=0.4.4
CPU_INDEX=https://download.pytorch.org/whl/cpu
pip() { "$VENV/bin/python" -m pip --disable-pip-version-check "$@"; }

light() {
    pip install --quiet --no-deps "$@" "lerobot==$LEROBOT" ultralytics
    pip install --quiet pillow polars psutil requests \
        einops safetensors 'huggingface-hub<0.36' draccus==0.10.0 gymnasium packaging termcolor deepdiff jsonlines \
        'datasets<5' 'av<16' pyserial 'diffusers<0.36' accelerate 'imageio[ffmpeg]'
}

[ -x "$VENV/bin/python" ] || "${PYTHON:-python3}" -m venv "$VENV"
if [ ! -e "$VENV/.complete" ] || [ pyproject.toml -nt "$VENV/.complete" ] || [ deploy/training/environment.sh -nt "$VENV/.complete" ]; then
    pip install --quiet --editable '.[cpu,sim,eval,dataset]' pytest hypothesis onnx onnxslim
    if pip install --quiet "torch==$TORCH+cpu" 2>/dev/null; then
        light "torchvision==$TORCHVISION"
    elif pip install --quiet --index-url "$CPU_INDEX" "torch==$TORCH" "torchvision==$TORCHVISION" 2>/dev/null; then
        light
    else
        echo "no CPU build of torch $TORCH found: installing the extras 'train' and 'train-policy' as PyPI has them" >&2
        pip install --quiet --editable '.[cpu,sim,eval,train,train-policy]'
    fi
    touch "$VENV/.complete"
fi
