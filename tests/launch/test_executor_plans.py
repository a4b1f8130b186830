"""What a plan is told of the chunk that is executed meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from launch.executor import HELD_CHUNKS, Executor, as_measured
from launch.graph import Graph
from launch.ledger import read_plan_word
from launch.streams import Item
from policy import ActionChunk
from robot.arm import RobotState

MS = 1_000_000


class Planner:
    """A planning stage that keeps what it is told."""

    reads_images = False
    last_state = -1

    def __init__(self) -> None:
        self.told: list[tuple[int, ActionChunk | None]] = []

    def __call__(
        self, tracks: object, states: Sequence[RobotState], ahead_ns: int, present: ActionChunk | None, frame: object
    ) -> ActionChunk:
        self.told.append((ahead_ns, present))
        return ActionChunk(len(self.told) * MS, 100 * MS, "joint_position", np.zeros((16, 7)))


@pytest.mark.parametrize("refused", [0, HELD_CHUNKS - 1, HELD_CHUNKS, 3 * HELD_CHUNKS])
def test_planning_goes_on_however_many_chunks_were_refused(refused: int) -> None:
    """The first chunk is executed on and on; those that came after it were not taken up."""
    planner = Planner()
    graph = cast("Graph", SimpleNamespace(cameras=(), fingerprints=("",), plan=planner))
    executor = Executor(graph, as_measured)
    executor.tracks.put(Item(0, object(), 0, 0, -1, -1))
    executor.input_state(RobotState(0, 0, np.zeros(6), np.zeros(6), 1.0), 0)
    first = executor.plan(0, 0, 0)
    for _ in range(refused):
        executor.plan(0, 0, 0, 40 * MS, first.sequence)
    executor.plan(0, 0, 0, 40 * MS, first.sequence)
    ahead_ns, present = planner.told[-1]
    assert ahead_ns == 40 * MS
    assert present is (first.value if refused < HELD_CHUNKS else None)
    row = executor.ledger.take()[-1]
    assert read_plan_word(int(row["decision"])) == (40 * MS, refused + 1 if refused < HELD_CHUNKS else 0)
