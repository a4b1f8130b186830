"""The live cell that the tests on the wall clock share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("mujoco", reason="the simulator's extra is not installed: pip install '.[sim]'")

from launch.live_cell import LiveCell
from tests.launch.faults.wall_cell import live_cell


@pytest.fixture(scope="session")
def live() -> Iterator[LiveCell]:
    cell = live_cell()
    yield cell
    cell.close()
