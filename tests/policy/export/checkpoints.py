"""Folders as LeRobot saves a policy, without its weights: what is refused is refused before those are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from policy.features import ACTION, ENVIRONMENT, STATE

CONFIG: dict[str, Any] = {
    "type": "act",
    "n_obs_steps": 1,
    "chunk_size": 16,
    "input_features": {STATE: {"type": "STATE", "shape": [10]}, ENVIRONMENT: {"type": "ENV", "shape": [7]}},
    "output_features": {ACTION: {"type": "ACTION", "shape": [7]}},
}
BEFORE = ("rename_observations_processor", "to_batch_processor", "device_processor", "normalizer_processor")
AFTER = ("unnormalizer_processor", "device_processor")


def write_checkpoint(folder: Path, config: dict[str, Any] | None = None, **change: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**(config or CONFIG), **change}))
    (folder / "model.safetensors").write_bytes(b"weights")
    for name, steps in (("policy_preprocessor", BEFORE), ("policy_postprocessor", AFTER)):
        content = {"name": name, "steps": [{"registry_name": step, "config": {}} for step in steps]}
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder
