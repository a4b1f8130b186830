"""Deadlines stay where they are, however late a tick is."""

from __future__ import annotations

import pytest

from deploy import pacer
from deploy.errors import BadInput
from deploy.pacer import Pacer

PERIOD = 1000


class World:
    """A clock that work and sleep advance; reading it takes a nanosecond."""

    def __init__(self, oversleep: int = 0) -> None:
        self.now = 50
        self.oversleep = oversleep
        self.slept: list[float] = []

    def __call__(self) -> int:
        self.now += 1
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds * 1e9))
        self.now += round(seconds * 1e9) + self.oversleep


def run(monkeypatch: pytest.MonkeyPatch, world: World, work: list[int], spin_ns: int = 0) -> tuple[list[int], Pacer]:
    monkeypatch.setattr(pacer.time, "sleep", world.sleep)
    paced, starts = Pacer(world, PERIOD, spin_ns), []
    for duration in work:
        late = paced.wait()
        assert late == world.now - paced.due_ns
        starts.append(world.now - 51)
        world.now += duration
    return starts, paced


@pytest.mark.parametrize(
    ("work", "oversleep", "starts", "skipped"),
    [
        ([100, 100, 100], 0, [1001, 2001, 3001], 0),
        ([100, 100, 100], 300, [1301, 2301, 3301], 0),  # late is late, but not later and later
        ([100, 1500, 100], 0, [1001, 2001, 3503], 0),  # one overrun: the next deadline is kept as well as it can
        ([100, 2500, 100, 100], 0, [1001, 2001, 4503, 5001], 1),
        ([100, 5100, 100, 100], 0, [1001, 2001, 7103, 8001], 4),
        ([999, 999, 999], 0, [1001, 2002, 3003], 0),
    ],
)
def test_ticks(
    monkeypatch: pytest.MonkeyPatch, work: list[int], oversleep: int, starts: list[int], skipped: int
) -> None:
    found, paced = run(monkeypatch, World(oversleep), work)
    assert found == pytest.approx(starts, abs=3)
    assert paced.skipped == skipped
    assert (paced.due_ns - 51) % PERIOD == 0


def test_spinning_leaves_the_sleep_early(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(oversleep=150)
    found, _ = run(monkeypatch, world, [100] * 3, spin_ns=200)
    assert found == [1000, 2000, 3000]
    assert max(world.slept) < PERIOD - 200


@pytest.mark.parametrize("period", [0, -5])
def test_a_period_must_be_positive(period: int) -> None:
    with pytest.raises(BadInput, match=f"{period} ns"):
        Pacer(World(), period)
