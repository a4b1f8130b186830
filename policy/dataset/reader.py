"""Reads the numbers of a LeRobotDataset v3.0, ours or anybody's, into memory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from policy.dataset import files
from policy.dataset.episode import Float32


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Frames of all episodes, one after the other.

    Attributes:
        folder: Where it is.
        info: LeRobot's `meta/info.json`.
        about: Our own `meta/eyehand.json`; empty in a dataset of somebody else.
        vectors: Columns of numbers by their keys, shape (N, D) each.
        episode_index: Shape (N,), which episode each frame is of.
        frame_index: Shape (N,), which frame of its episode.
    """

    folder: Path
    info: dict[str, Any]
    about: dict[str, Any]
    vectors: dict[str, Float32]
    episode_index: npt.NDArray[np.int64]
    frame_index: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.episode_index)

    def names(self, key: str) -> tuple[str, ...]:
        """Names of the numbers of a column."""
        return tuple(self.info["features"][key]["names"])

    def units(self, key: str) -> tuple[str | None, ...]:
        """Units of the numbers of a column; None where nobody said."""
        known = self.about.get("units", {})
        return tuple(known.get(name) for name in self.names(key))

    @property
    def fingerprint(self) -> str | None:
        """Hash of the values; None in a dataset of somebody else."""
        return self.about.get("fingerprint")


def read_dataset(folder: Path) -> Dataset:
    """Read a dataset; pictures are left where they are.

    Raises:
        BadInput: If it is none, or of another version, or empty.
        deploy.errors.Missing: Without pyarrow.
    """
    info = _read_json(folder / files.INFO)
    version = info.get("codebase_version")
    if version != files.VERSION:
        raise BadInput(f"{folder}: LeRobotDataset {version}, expected {files.VERSION}; convert it with LeRobot")
    about = _read_json(folder / files.ABOUT) if (folder / files.ABOUT).exists() else {}
    paths = sorted((folder / "data").glob("chunk-*/file-*.parquet"))
    if not info.get("total_episodes") or not paths:
        raise BadInput(f"{folder}: no episodes in it")
    keys = [key for key, column in info["features"].items() if column["dtype"] == "float32" and column["names"]]
    parts: dict[str, list[Any]] = {key: [] for key in (*keys, "episode_index", "frame_index")}
    for path in paths:
        table = files.read_table(path, list(parts))
        for key, arrays in parts.items():
            column = table[key].combine_chunks()
            width = len(info["features"][key]["names"]) if key in keys else 0
            arrays.append(column.flatten().to_numpy().reshape(-1, width) if width else column.to_numpy())
    whole = {key: np.concatenate(arrays) for key, arrays in parts.items()}
    held = whole["episode_index"] < info["total_episodes"]  # a killed writer may have been a file ahead
    return Dataset(
        folder,
        info,
        about,
        {key: np.ascontiguousarray(whole[key][held], dtype=np.float32) for key in keys},
        whole["episode_index"][held],
        whole["frame_index"][held],
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{path.parents[1]}: no LeRobotDataset in it, {path.name} is missing") from None
    except ValueError as error:
        raise BadInput(f"{path}: not JSON ({error})") from error
    if not isinstance(value, dict):
        raise BadInput(f"{path}: expected an object, found {type(value).__name__}")
    return value
