"""A checkpoint of LeRobot as files: looked at, and refused if it could run code, before any of it is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.errors import BadInput
from deploy.model_store import CARD_FILE
from deploy.passport import file_sha256
from policy.spec import KINDS

CONFIG, WEIGHTS = "config.json", "model.safetensors"
PREPROCESSOR, POSTPROCESSOR = "policy_preprocessor.json", "policy_postprocessor.json"
DESCRIPTION = "eyehand_policy.json"
OWN_LICENSE = "Apache-2.0"
# Where the folder with the weights lies below what a training left, ours and LeRobot's.
_BELOW = ("", "checkpoint", "pretrained_model", "last/pretrained_model", "checkpoints/last/pretrained_model")
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
# A step that is named by its class would be imported from wherever it says: only LeRobot's own, by these names.
_BEFORE = (
    "rename_observations_processor", "to_batch_processor", "device_processor", "normalizer_processor",
)  # fmt: skip
_AFTER = ("unnormalizer_processor", "device_processor")


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A checkpoint that is safe to load.

    Attributes:
        folder: With LeRobot's `config.json`, `model.safetensors` and the two processors.
        kind: `act` or `diffusion`.
        config: Content of `config.json`.
        before: Steps of the preprocessor, by their registered names, with their settings.
        after: Steps of the postprocessor.
    """

    folder: Path
    kind: str
    config: dict[str, Any]
    before: tuple[tuple[str, dict[str, Any]], ...]
    after: tuple[tuple[str, dict[str, Any]], ...]

    @property
    def sha256(self) -> str:
        """Hash of the weights, hexadecimal."""
        return file_sha256(self.folder / WEIGHTS)

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Shapes of what the policy reads, without a batch, by LeRobot's names."""
        return {name: tuple(feature["shape"]) for name, feature in self.config["input_features"].items()}

    @property
    def description(self) -> Path | None:
        """The file that names and measures what the policy reads and writes: in the folder or beside it, if any."""
        for folder in (self.folder, self.folder.parent):
            if (folder / DESCRIPTION).is_file():
                return folder / DESCRIPTION
        return None

    @property
    def authors_license(self) -> str:
        """`license` in the front matter of its card; empty if there is none."""
        return _said_license(self.folder / CARD_FILE)

    @property
    def license(self) -> str:
        """As its author says; else that of our own trainings; else `unknown`."""
        return self.authors_license or ("unknown" if self.description is None else OWN_LICENSE)


def open_checkpoint(path: Path) -> Checkpoint:
    """Look at a checkpoint.

    Args:
        path: LeRobot's `pretrained_model` folder, or a folder of a training that holds one.

    Raises:
        BadInput: If it is none, is of a kind that is not known, holds its weights in a pickle, or processes what goes
            in or out by steps that are not LeRobot's normalisation.
    """
    folder = _folder(path)
    config = _json(folder / CONFIG)
    kind = config.get("type")
    if kind not in KINDS:
        raise BadInput(f"{folder / CONFIG}: policy {kind!r}, expected {' or '.join(KINDS)}")
    _check_config(folder, config)
    if not (folder / WEIGHTS).is_file():
        raise BadInput(f"checkpoint {folder} has no {WEIGHTS}{_instead(folder)}")
    return Checkpoint(
        folder, kind, config, _steps(folder / PREPROCESSOR, _BEFORE), _steps(folder / POSTPROCESSOR, _AFTER)
    )


def _folder(path: Path) -> Path:
    if path.is_file():
        pickled = ": it is a pickle, which can run code when it is loaded" if path.suffix in _PICKLES else ""
        raise BadInput(
            f"checkpoint {path} is a file{pickled}; expected a folder of LeRobot with {CONFIG} and {WEIGHTS}"
        )
    if not path.is_dir():
        raise BadInput(f"checkpoint {path} does not exist (working directory {Path.cwd()}): check the path")
    for below in _BELOW:
        if (path / below / CONFIG).is_file():
            return path / below
    raise BadInput(
        f"checkpoint {path} has no {CONFIG}{_instead(path)}; expected LeRobot's pretrained_model folder, or one of "
        "a training that holds it"
    )


def _instead(folder: Path) -> str:
    """What else is there, if that explains what is not."""
    pickles = sorted(file.name for file in folder.iterdir() if file.suffix in _PICKLES)
    if not pickles:
        return ""
    return (
        f": its weights are in {pickles[0]}, a pickle, which can run code when it is loaded; save it with "
        "policy.save_pretrained"
    )


def _said_license(card: Path) -> str:
    """What the front matter of a card says; empty if it says nothing that can be read."""
    try:
        start, *rest = card.read_text(encoding="utf-8").split("---\n", 2)
        said = yaml.safe_load(rest[0]) if len(rest) == 2 and not start.strip() else None
    except (OSError, ValueError, yaml.YAMLError):
        return ""
    found = said.get("license") if isinstance(said, dict) else None
    return found.strip() if isinstance(found, str) else ""


def _check_config(folder: Path, config: dict[str, Any]) -> None:
    for key in ("input_features", "output_features"):
        features = config.get(key)
        valid = isinstance(features, dict) and all(
            isinstance(feature, dict) and isinstance(feature.get("shape"), list) for feature in features.values()
        )
        if not valid or not features:
            raise BadInput(f"{folder / CONFIG} has no {key}: expected the configuration of a trained policy")
    if set(config["output_features"]) != {"action"}:
        raise BadInput(f"{folder / CONFIG}: outputs {', '.join(config['output_features'])}, expected action alone")
    seen = config.get("n_obs_steps", 1)
    if seen != 1:
        raise BadInput(
            f"{folder / CONFIG}: n_obs_steps is {seen}, expected 1, as a plan here starts from one observation: train "
            "with --policy.n_obs_steps=1"
        )
    if config.get("use_peft"):
        raise BadInput(f"{folder} holds an adapter (PEFT), not a policy: merge it into its base and save that")


def _steps(path: Path, known: tuple[str, ...]) -> tuple[tuple[str, dict[str, Any]], ...]:
    if not path.is_file():
        raise BadInput(
            f"checkpoint {path.parent} has no {path.name}, which holds the normalisation: save it with the policy "
            "(preprocessor.save_pretrained), or convert an older checkpoint with LeRobot's migrate_policy_normalization"
        )
    steps = _json(path).get("steps")
    if not isinstance(steps, list):
        raise BadInput(f"{path} has no steps: expected a processor of LeRobot")
    found = []
    for step in steps:
        name = step.get("registry_name") if isinstance(step, dict) else None
        if name not in known:
            what = name or (step.get("class") if isinstance(step, dict) else step)
            raise BadInput(f"{path}: step {what!r} cannot be part of the exported file; expected {', '.join(known)}")
        found.append((str(name), dict(step)))
    names = [name for name, _ in found]
    if len(set(names)) < len(names):
        raise BadInput(f"{path} has a step twice ({', '.join(names)}): save it as LeRobot's training does")
    return tuple(found)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read ({str(error).splitlines()[0][:120]}): save the policy again") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path} holds no JSON object: save the policy again")
    return content
