"""One demonstration as arrays, and what its values mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from geometry.types import Array
from policy.action_chunk import ActionSpace
from policy.features import ACTION, ENVIRONMENT, ENVIRONMENT_NAMES, IMAGES, STATE, STATE_NAMES, action_names

Float32 = npt.NDArray[np.float32]
# columns that every LeRobotDataset has; `index` counts over all episodes
INDEX_COLUMNS: Final = ("timestamp", "frame_index", "episode_index", "index", "task_index")


@dataclass(frozen=True, slots=True)
class CameraFormat:
    """A camera whose pictures are kept, 8-bit RGB.

    Attributes:
        name: Its name in the rig.
        height: Rows [px].
        width: Columns [px].
    """

    name: str
    height: int
    width: int

    @property
    def key(self) -> str:
        """Its column."""
        return IMAGES + self.name


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """Frames one time step apart.

    Attributes:
        state: Shape (T, 10), `policy.features.STATE_NAMES`.
        environment: Shape (T, 7), `policy.features.ENVIRONMENT_NAMES`.
        action: Shape (T, 7), `policy.features.action_names`.
        images: For each camera that is kept, T pictures as PNG.

    Raises:
        ValueError: If the lengths disagree or a value is not finite, naming it.
    """

    state: Float32
    environment: Float32
    action: Float32
    images: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(self.state), len(self.environment), len(self.action), *map(len, self.images.values())}
        if len(lengths) != 1 or not len(self.state):
            raise ValueError(f"columns of an episode have lengths {sorted(lengths)}: expected one length >= 1")
        for key, values in self.vectors.items():
            if not np.isfinite(values).all():
                raise ValueError(
                    f"{key} of an episode is not finite in frame {int(np.argwhere(~np.isfinite(values))[0][0])}"
                )

    def __len__(self) -> int:
        return len(self.state)

    @property
    def vectors(self) -> dict[str, Float32]:
        """Its columns of numbers by their keys, in the order of the files."""
        return {STATE: self.state, ENVIRONMENT: self.environment, ACTION: self.action}


def as_float32(values: Array) -> Float32:
    """Copy as it is stored: float32, read-only."""
    stored = np.array(values, dtype=np.float32)
    stored.flags.writeable = False
    return stored


def features(space: ActionSpace, cameras: tuple[CameraFormat, ...]) -> dict[str, dict[str, Any]]:
    """The features of a dataset as `meta/info.json` lists them."""
    vectors = {STATE: STATE_NAMES, ENVIRONMENT: ENVIRONMENT_NAMES, ACTION: action_names(space)}
    listed: dict[str, dict[str, Any]] = {
        key: {"dtype": "float32", "shape": [len(names)], "names": list(names)} for key, names in vectors.items()
    }
    for camera in cameras:
        shape = [camera.height, camera.width, 3]
        listed[camera.key] = {"dtype": "image", "shape": shape, "names": ["height", "width", "channels"]}
    for key in INDEX_COLUMNS:
        listed[key] = {"dtype": "float32" if key == "timestamp" else "int64", "shape": [1], "names": None}
    return listed
