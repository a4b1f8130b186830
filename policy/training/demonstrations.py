"""A LeRobot dataset (v3.0) in memory: its vectors, read from the parquet files without torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import yaml

from deploy.errors import BadInput, require
from geometry.types import IntArray
from policy.action_chunk import ActionSpace
from policy.features import ACTION, ENVIRONMENT, IMAGES, STATE, unit_of

FORMAT = "v3.0"
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Demonstrations:
    """Frames of demonstrated episodes, in the order of the dataset.

    Attributes:
        folder: Where the dataset lies.
        fps: Frames a second of an episode; an action lasts so long.
        vectors: `observation.state`, `observation.environment_state` and `action` by name: shape (N, size), float32.
        names: Of each vector's numbers, in their order.
        episode: Shape (N,): episode of each frame.
        images: Height and width [px] of each picture, by feature.
        action_space: What the actions mean; None if the dataset does not say.
        fingerprint: SHA-256 over the vectors and episodes.
        robot: Model of the arm; empty if the dataset does not say, like the two below.
        object_class: What is picked.
        bin_in_base_m: Where it is placed: x, y, z in the robot's base [m].
    """

    folder: Path
    fps: float
    vectors: dict[str, Floats]
    names: dict[str, tuple[str, ...]]
    episode: IntArray
    images: dict[str, tuple[int, int]]
    action_space: ActionSpace | None
    fingerprint: str
    robot: str = ""
    object_class: str = ""
    bin_in_base_m: tuple[float, ...] = ()

    @property
    def episodes(self) -> IntArray:
        """Numbers of the episodes, ascending."""
        return np.unique(self.episode)

    def units(self, feature: str) -> tuple[str, ...]:
        """Unit of each number of a vector; empty where the name is none of ours."""
        return tuple(unit_of(name) or "" for name in self.names[feature])


def read_demonstrations(folder: Path) -> Demonstrations:
    """Read the vectors of a LeRobot dataset.

    Args:
        folder: Its root, with `meta/` and `data/`.

    Raises:
        BadInput: If it is no such dataset, has no states, no actions, numbers that are not finite, or units that are
            not ours.
        Missing: If pyarrow cannot be imported.
    """
    info = _json(folder / "meta" / "info.json")
    version = info.get("codebase_version")
    if version != FORMAT:
        raise BadInput(f"--dataset {folder}: codebase_version is {version!r}, expected {FORMAT!r}: convert it")
    for key, kind in (("features", dict), ("fps", (int, float)), ("total_frames", int)):
        if not isinstance(info.get(key), kind):
            raise BadInput(
                f"--dataset {folder}: meta/info.json has no valid {key}; expected a LeRobot dataset of {FORMAT}"
            )
    if info["fps"] <= 0:
        raise BadInput(f"--dataset {folder}: fps is {info['fps']}, expected more than 0")
    features = info["features"]
    for feature in (STATE, ACTION):
        if feature not in features:
            raise BadInput(f"--dataset {folder}: has no {feature}; its features are {', '.join(features)}")
    wanted = [feature for feature in (STATE, ENVIRONMENT, ACTION) if feature in features]
    columns = _columns(folder, [*wanted, "episode_index"], int(info["total_frames"]))
    vectors = {feature: columns[feature] for feature in wanted}
    for feature, rows in vectors.items():
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if len(bad):
            raise BadInput(f"--dataset {folder}: {feature} of frame {bad[0]} is not finite: record it again")
    meta = folder / "meta" / "eyehand.json"
    ours = _json(meta) if meta.exists() else {}
    space = ours.get("action_space")
    if space is not None and space not in get_args(ActionSpace):
        raise BadInput(f"{meta}: action_space is {space!r}, expected {', '.join(get_args(ActionSpace))}")
    names = {feature: _names(features[feature], feature) for feature in wanted}
    _check_units(meta, ours.get("units") or {}, [name for each in names.values() for name in each])
    return Demonstrations(
        folder=folder,
        fps=float(info["fps"]),
        vectors=vectors,
        names=names,
        episode=columns["episode_index"],
        images={name: _size(feature) for name, feature in features.items() if name.startswith(IMAGES)},
        action_space=space,
        fingerprint=ours.get("fingerprint") or _fingerprint(vectors, columns["episode_index"]),
        robot=str(ours.get("robot") or ""),
        object_class=str(ours.get("object_class") or ""),
        bin_in_base_m=_bin(meta, ours.get("configuration")),
    )


def _check_units(meta: Path, said: Any, names: list[str]) -> None:
    """The dataset's units must be ours: numbers are taken as they stand."""
    if not isinstance(said, dict):
        raise BadInput(f"{meta}: units is {said!r}, expected a unit by each name; collect it again")
    for name in names:
        unit, expected = said.get(name), unit_of(name)
        if None not in (unit, expected) and unit != expected:
            raise BadInput(f"{meta}: {name} is in {unit!r}, expected {expected!r}: convert the dataset")


def _bin(meta: Path, configuration: Any) -> tuple[float, ...]:
    """Where the task of a configuration (YAML) has its bin; empty if it does not say."""
    if configuration is None:
        return ()
    try:
        content = yaml.safe_load(configuration)
        task = content.get("task") or {}
        return tuple(float(part) for part in task.get("bin_in_base_m") or ())
    except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"{meta}: configuration cannot be read ({reason}); expected YAML, or none") from error


def _columns(folder: Path, names: list[str], frames: int) -> dict[str, Any]:
    files = sorted((folder / "data").glob("chunk-*/file-*.parquet"))
    if not files:
        raise BadInput(f"--dataset {folder}: no data/chunk-*/file-*.parquet in it; collect demonstrations first")
    pa, pq = require("pyarrow", "dataset"), require("pyarrow.parquet", "dataset")

    try:
        table = pa.concat_tables([pq.read_table(file, columns=[*names, "index"]) for file in files]).sort_by("index")
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"--dataset {folder}: cannot be read ({error}); collect it again") from error
    table = table.slice(0, frames)  # an interrupted collection may have left a file that does not count
    if table.num_rows == 0:
        raise BadInput(f"--dataset {folder}: has no frames; collect demonstrations first")
    out: dict[str, Any] = {}
    for name in names:
        column = table[name].combine_chunks()
        if name == "episode_index":
            out[name] = column.to_numpy(zero_copy_only=False).reshape(-1).astype(np.int64)
        else:
            flat = column.flatten().to_numpy(zero_copy_only=False)
            out[name] = flat.reshape(table.num_rows, -1).astype(np.float32)
    return out


def _names(feature: dict[str, Any], name: str) -> tuple[str, ...]:
    """Names of a vector's numbers: LeRobot has them as a list, as a list under a key, or not at all."""
    names = feature.get("names")
    if isinstance(names, dict):
        names = next((value for value in names.values() if isinstance(value, list)), None)
    size = int(feature["shape"][0])
    if names is None or len(names) != size:
        return tuple(f"{name}.{i}" for i in range(size))
    return tuple(str(part) for part in names)


def _size(feature: dict[str, Any]) -> tuple[int, int]:
    shape = feature["shape"]
    channels_first = feature.get("names") and str(feature["names"][0]).startswith("channel")
    return (int(shape[1]), int(shape[2])) if channels_first else (int(shape[0]), int(shape[1]))


def _fingerprint(vectors: dict[str, Floats], episode: IntArray) -> str:
    digest = hashlib.sha256()
    rows: Any
    for name, rows in sorted({**vectors, "episode_index": episode}.items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(rows).astype(rows.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read ({error}); expected a LeRobot dataset of {FORMAT}") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path}: not a JSON object; expected a LeRobot dataset of {FORMAT}")
    return content
