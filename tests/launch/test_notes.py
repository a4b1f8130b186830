from __future__ import annotations

from launch.schedulers.notes import Notes


def test_notes_of_one_kind_stay_one_line() -> None:
    notes = Notes()
    for age in range(500):
        notes.add(f"photons are {age} ms old", "stale -1")
    notes.add("control ticks missed")
    notes.add("control ticks missed")
    assert notes.counts() == {"photons are 0 ms old": 500, "control ticks missed": 2}
