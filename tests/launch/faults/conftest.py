"""The live cell that the tests on the wall clock share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def live() -> Iterator[Any]:
    """A `LiveCell`; what it needs is imported here, for a conftest that skips ends the session."""
    from tests.launch.faults.wall_cell import live_cell

    cell = live_cell()
    yield cell
    cell.close()
