"""Demonstrations made up of counted numbers, without a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from policy.action_chunk import ActionSpace
from policy.features import ACTION, ENVIRONMENT, ENVIRONMENT_NAMES, STATE, STATE_NAMES, action_names
from policy.training.demonstrations import Demonstrations


def made_up(episodes: int = 4, frames: int = 20, space: ActionSpace = "joint_position") -> Demonstrations:
    """Random states; actions that say their frame: frame + 0.1 * column."""
    rng, total = np.random.default_rng(5), episodes * frames
    environment = rng.normal(size=(total, 7))
    environment[:, 6] = np.arange(total) % frames > 1
    environment[environment[:, 6] == 0] = 0.0
    vectors = {
        STATE: rng.normal(size=(total, 10)),
        ENVIRONMENT: environment,
        ACTION: np.arange(total)[:, None] + 0.1 * np.arange(7),
    }
    return Demonstrations(
        folder=Path("made_up"),
        fps=10.0,
        vectors={name: values.astype(np.float32) for name, values in vectors.items()},
        names={STATE: STATE_NAMES, ENVIRONMENT: ENVIRONMENT_NAMES, ACTION: action_names(space)},
        episode=np.repeat(np.arange(episodes), frames),
        images={},
        action_space=space,
        fingerprint="made up",
    )
