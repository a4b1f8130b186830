from __future__ import annotations

import numpy as np
import pytest

from deploy.errors import BadInput
from policy.action_chunk import ActionChunk
from policy.features import frozen, prefix_names, unit_of, values
from tests.policy.test_observation import observation

DT_NS = 100_000_000


def test_what_is_frozen_are_the_present_chunks_actions_at_the_next_ones_times() -> None:
    chunk = ActionChunk(0, DT_NS, "joint_position", np.arange(4)[:, None] * np.ones((1, 7)))
    np.testing.assert_allclose(frozen(chunk, DT_NS // 2, DT_NS, 2), [[0.5] * 7, [1.5] * 7])
    assert frozen(chunk, 2 * DT_NS, DT_NS, 8).shape == (2, 7)  # no more than is left of it
    assert frozen(chunk, 9 * DT_NS, DT_NS, 8).shape == (0, 7)


def test_a_frozen_rotation_is_written_as_in_its_chunk() -> None:
    """A tool that points down: at pi a turn has two vectors, and interpolation gives either."""
    actions = np.zeros((4, 7))
    actions[:, 3] = np.pi + np.array((1e-4, -1e-4, 1e-4, -1e-4))
    held = frozen(ActionChunk(0, DT_NS, "ee_pose", actions), DT_NS // 3, DT_NS, 3)
    np.testing.assert_allclose(held[:, 3], np.pi, atol=1e-3)


def test_a_prefix_has_names_and_units() -> None:
    names = prefix_names("ee_pose", 2)
    assert len(names) == 15
    assert [unit_of(name) for name in names[:8]] == ["1", "m", "m", "m", "rad", "rad", "rad", "1"]
    shown = values(observation(prefix=np.full((1, 7), 0.25)), names)
    np.testing.assert_array_equal(shown, [1.0, *[0.25] * 7, *[0.0] * 7])


@pytest.mark.parametrize("name", ["mood", "prefix.x.tcp.x", "prefix.0.mood"])
def test_an_unknown_feature(name: str) -> None:
    with pytest.raises(BadInput, match="unknown"):
        values(observation(), [name])
