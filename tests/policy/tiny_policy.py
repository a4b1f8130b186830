"""A policy's file with a graph that plans one and the same chunk, whatever is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import helper

from policy.features import ACTION
from policy.spec import METADATA_KEY, PolicySpec
from tests.deploy.onnx_models import write_model


def write_policy(path: Path, spec: PolicySpec, actions: np.ndarray | None = None) -> Path:
    chunk = np.zeros((spec.chunk_size, len(spec.action_names))) if actions is None else actions
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_model(
        path, [helper.make_node("Identity", ["plan"], [ACTION])],
        {vector.name: (1, len(vector.names)) for vector in spec.vectors}, {ACTION: (1, *chunk.shape)},
        {"plan": chunk[None].astype(np.float32)}, {METADATA_KEY: spec.to_json()},
    )  # fmt: skip
