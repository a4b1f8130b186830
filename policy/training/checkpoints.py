"""Checkpoints in LeRobot's own layout, whole or not at all: safetensors and JSON, never a pickle.

`checkpoints/<step>/pretrained_model` is what `from_pretrained` loads, and `checkpoints/<step>/training_state` what a
resumed training goes on from. `checkpoint` is a link to the newest model.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

from deploy.errors import BadInput, require
from policy.spec import PolicySpec
from policy.training.lerobot_policy import EXTRA

SPEC_FILE: Final = "eyehand_policy.json"
MODEL: Final = "pretrained_model"
STATE: Final = "training_state"


def save(out: Path, step: int, policy: Any, processors: tuple[Any, Any], optimizer: Any, spec: PolicySpec) -> Path:
    """Write a checkpoint and make `checkpoint` point to it.

    Args:
        out: Folder of the training.
        step: Batches learnt from so far.
        policy: LeRobot's policy.
        processors: Its pre- and postprocessor.
        optimizer: Of torch.
        spec: What the policy reads and writes.

    Returns:
        Folder of the model.
    """
    from lerobot.optim.optimizers import save_optimizer_state

    folder = out / "checkpoints" / f"{step:06d}"
    place = folder.with_name(f".{folder.name}")
    shutil.rmtree(place, ignore_errors=True)
    (place / STATE).mkdir(parents=True)
    policy.save_pretrained(place / MODEL)
    for processor in processors:
        processor.save_pretrained(place / MODEL)
    (place / MODEL / SPEC_FILE).write_text(spec.to_json() + "\n")
    save_optimizer_state(optimizer, place / STATE)
    (place / STATE / "training_step.json").write_text(f'{{"step": {step}}}\n')
    if folder.exists():
        shutil.rmtree(folder)
    place.rename(folder)
    _link(out / "checkpoints" / "last", Path(folder.name))
    _link(out / "checkpoint", Path("checkpoints") / folder.name / MODEL)
    return folder / MODEL


def newest(out: Path) -> tuple[int, Path] | None:
    """Step and folder of the last whole checkpoint; None without one."""
    folders = [path for path in (out / "checkpoints").glob("[0-9]*") if path.is_dir() and not path.is_symlink()]
    return max(((int(path.name), path) for path in folders), default=None)


def load(folder: Path, policy: Any, optimizer: Any) -> None:
    """Put weights and optimizer back as they were.

    Raises:
        BadInput: If the checkpoint is not of this policy.
    """
    from lerobot.optim.optimizers import load_optimizer_state

    safetensors, error_kind = require("safetensors.torch", EXTRA), require("safetensors", EXTRA).SafetensorError
    try:
        safetensors.load_model(
            policy, folder / MODEL / "model.safetensors", strict=True, device=str(policy.config.device)
        )
        load_optimizer_state(optimizer, folder / STATE)
    except (OSError, RuntimeError, ValueError, KeyError, error_kind) as error:
        raise BadInput(f"{folder}: cannot go on from it ({error}); delete it, or train in a new --out") from error


def _link(link: Path, target: Path) -> None:
    new = link.with_name(f".{link.name}")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)
