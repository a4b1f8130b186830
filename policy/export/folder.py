"""An exported policy as a folder of the model store: the file, its passport, its card, its licence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from deploy.backend import Backend
from deploy.model_store import CARD_FILE, MODEL_FILE
from deploy.passport import file_sha256, passport_path
from deploy.policy_passport import PolicyPassport
from policy.export.checkpoint import Checkpoint
from policy.export.parity import Parity
from policy.spec import PolicySpec

_KINDS = {"act": "An Action Chunking Transformer (ACT)", "diffusion": "A Diffusion Policy"}
_SPACES = {
    "joint_position": "joint angles",
    "joint_velocity": "joint speeds",
    "joint_delta": "increments of the joint angles, from action to action",
    "ee_pose": "poses of the tool in the robot's base: place and rotation vector",
}


def write_passport(
    place: Path,
    name: str,
    spec: PolicySpec,
    backend: Backend,
    parity: Parity,
    checkpoint: Checkpoint,
    made_by: Mapping[str, str],
) -> PolicyPassport:
    """Write passport, card and licence beside `model.onnx`.

    Args:
        place: Folder of the file.
        name: The model's.
        spec: What it reads and writes.
        backend: The engine with the file.
        parity: Against LeRobot.
        checkpoint: What it was made from.
        made_by: Versions.

    Returns:
        The passport.
    """
    target = place / MODEL_FILE
    config = checkpoint.config
    passport = PolicyPassport(
        name=name,
        sha256=file_sha256(target),
        size_bytes=target.stat().st_size,
        source={"name": checkpoint.folder.name, "sha256": checkpoint.sha256},
        made_by=dict(made_by),
        inputs={each.name: _shape(each.shape) for each in backend.io_spec.inputs},
        outputs={each.name: _shape(each.shape) for each in backend.io_spec.outputs},
        policy=json.loads(spec.to_json()),
        parity={
            "against": f"LeRobot {made_by['lerobot']}, its predict_action_chunk and processors, float32 on a CPU",
            "inputs": parity.inputs,
            "of": parity.of,
            "max_abs_error": parity.worst,
            "tolerance": parity.tolerance,
            "by_action": parity.largest,
        },
        training={
            key: config[key]
            for key in ("dim_model", "n_heads", "n_encoder_layers", "n_decoder_layers", "dim_feedforward", "use_vae",
                        "vision_backbone", "horizon", "down_dims")
            if config.get(key) is not None and (key != "vision_backbone" or spec.images)
        },
        license=checkpoint.license,
    ).write(passport_path(target))  # fmt: skip
    (place / CARD_FILE).write_text(_card(passport, spec, parity, checkpoint), encoding="utf-8")
    return passport


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _card(passport: PolicyPassport, spec: PolicySpec, parity: Parity, checkpoint: Checkpoint) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in passport.made_by.items())
    reads = "\n".join(f"- `{name}`, {shape}: {_told(spec, name)}" for name, shape in passport.inputs.items())
    limits = "\n".join(
        f"| `{name}` | {unit} | {low:.4f} | {high:.4f} |"
        for name, unit, low, high in zip(
            spec.action_names, spec.action_units, spec.action_min, spec.action_max, strict=True
        )
    )
    prefix = (
        f"It takes up to {spec.prefix} frozen actions at the start of a chunk (`policy.schedule.mode: rtc`).\n"
        if spec.prefix
        else ""
    )
    return f"""# {passport.name}

{_KINDS[spec.kind]}, exported from a checkpoint of LeRobot (weights sha256 `{passport.source["sha256"]}`).

It gives {spec.chunk_size} actions, {spec.dt_ns / 1e6:g} ms apart, the first at the time of the photons:
{_SPACES[spec.action_space]} (`{spec.action_space}`) and the opening of the gripper. {prefix}
Reads, in units, not normalised:

{reads}

Writes `action`, {passport.outputs["action"]}; in the demonstrations:

| action | unit | least | largest |
| --- | --- | --- | --- |
{limits}

- demonstrations: `{spec.dataset or "unknown"}`{_taught(spec)}
- file: {passport.size_bytes / 1e6:.1f} MB, sha256 `{passport.sha256}`
- made by: {versions}

Against LeRobot's own `predict_action_chunk`, with its processors: {parity}.

## Licence

{_terms(checkpoint)}
"""


def _taught(spec: PolicySpec) -> str:
    place = ", ".join(f"{each:g}" for each in spec.bin_in_base_m)
    parts = (
        spec.robot and f"robot `{spec.robot}`",
        spec.object_class and f"object `{spec.object_class}`",
        place and f"bin at ({place}) m of the base",
    )
    return "".join(f", {part}" for part in parts if part)


def _terms(checkpoint: Checkpoint) -> str:
    found = checkpoint.license
    if found == "unknown":
        return "Unknown: the checkpoint does not say. Ask its author before you pass it on."
    if checkpoint.authors_license:
        return f"{found}, as its author says; the demonstrations may have terms of their own."
    return f"{found}, as LeRobot; the demonstrations may have terms of their own."


def _told(spec: PolicySpec, name: str) -> str:
    for vector in spec.vectors:
        if vector.name == name:
            named = [f"{each} [{unit}]" for each, unit in zip(vector.names, vector.units, strict=True)]
            named = [each for each in named if not each.startswith("prefix.")]
            return ", ".join(named) + (", and the frozen prefix" if len(named) < len(vector.names) else "")
    for image in spec.images:
        if image.name == name:
            return f"camera `{image.camera}`, RGB from 0 to 1"
    return "standard normal noise"
