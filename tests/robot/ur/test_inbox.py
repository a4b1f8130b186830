from __future__ import annotations

from dataclasses import replace

from robot.ur.inbox import BUFFER, Inbox
from tests.robot.ur.test_status import WELL


def test_readings_are_numbered_stamped_and_kept_until_taken() -> None:
    inbox = Inbox()
    inbox.open(0)
    assert inbox.newest is None
    assert inbox.drain() == []
    for k in range(5):
        inbox.take(replace(WELL, timestamp_s=10.0 + 0.002 * k), 2_000_000 * k + 300_000)
    taken = inbox.drain()
    assert [stamped.sequence for stamped in taken] == [0, 1, 2, 3, 4]
    assert [stamped.stamp_ns for stamped in taken] == [2_000_000 * k + 300_000 for k in range(5)]
    assert inbox.drain() == [taken[-1]]
    for k in range(2 * BUFFER):
        inbox.take(replace(WELL, timestamp_s=20.0 + 0.002 * k), 10_000_000_000 + 2_000_000 * k)
    assert [stamped.sequence for stamped in inbox.drain()] == list(range(5 + BUFFER, 5 + 2 * BUFFER))


def test_what_no_arm_can_say_is_left_out_and_counted() -> None:
    inbox = Inbox()
    inbox.open(0)
    assert inbox.take(replace(WELL, joint_positions_rad=(1e293,) * 6), 1) is None
    assert inbox.damaged == 1
    assert inbox.newest is None


def test_silence_ends_when_the_controllers_time_goes_on() -> None:
    inbox = Inbox()
    inbox.open(1_000)
    assert inbox.silent_ns(5_000) == 4_000
    inbox.take(replace(WELL, timestamp_s=1.0), 6_000)
    # Packets come, but their time stands still.
    inbox.take(replace(WELL, timestamp_s=1.0), 9_000)
    assert inbox.silent_ns(10_000) == 4_000
    inbox.take(replace(WELL, timestamp_s=1.002), 11_000)
    assert inbox.silent_ns(11_000) == 0


def test_a_new_connection_goes_on_with_the_numbers() -> None:
    inbox = Inbox()
    inbox.open(0)
    inbox.take(WELL, 1)
    inbox.open(5)
    assert inbox.newest is None
    assert inbox.drain() == []
    stamped = inbox.take(replace(WELL, timestamp_s=0.1), 70_000_000_000)
    assert stamped is not None
    assert stamped.sequence == 1
    report = inbox.clock_report()
    assert report is not None
    assert report.restarts == 1
