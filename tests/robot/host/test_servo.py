"""What the host's loop does with the arm, cycle by cycle, on a clock of its own."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot.arm import ArmFault, JointCommand, RobotState
from robot.host.journal import Journal
from robot.host.mailboxes import CLOSE, LIMP, POSITION, RECOVER, STOP, VELOCITY, Mailboxes, as_text, shared_file
from robot.host.servo import Servo
from robot.host.settings import HostSettings
from robot.host.status import FAULT_KINDS
from robot.host.surroundings import Surroundings
from robot.kinematics import forward
from robot.kinematics.dh import UR10E
from robot.safety.cell import Box, Workspace

CYCLE_NS, PERIOD_NS = 2_000_000, 10_000_000
HOME = [0.0, -1.5, 1.5, -1.5, -1.5, 0.0]
PARK = (0.1, -1.4, 1.4, -1.5, -1.5, 0.0)
SPEED = 0.8


class Arm:
    """Is where it was sent; keeps a list of what it was told."""

    name, joint_names = "arm", ("a", "b", "c", "d", "e", "f")

    def __init__(self) -> None:
        self.now_ns, self.sequence = 0, 0
        self.joints, self.speeds = np.array(HOME), np.zeros(6)
        self.calls: list[str] = []
        self.path: list[np.ndarray] = []
        self.fault: ArmFault | None = None
        self.stuck = False
        self.error: Exception | None = None
        self.opening = 0.5

    def connect(self) -> None: ...

    def read_state(self) -> RobotState:
        self._trouble()
        self.sequence += 1
        return RobotState(self.sequence, self.now_ns, self.joints, self.speeds, self.opening)

    def send(self, command: JointCommand) -> None:
        self._trouble()
        assert command.mode == "position"
        self.speeds = (command.joints - self.joints) / (CYCLE_NS * 1e-9)
        self.joints, self.opening = command.joints, command.gripper_opening
        self.path.append(command.joints)

    def stop(self) -> None:
        self.calls.append("stop")

    def limp(self) -> None:
        self.calls.append("limp")

    def recover(self) -> None:
        self.calls.append("recover")
        if self.stuck and self.fault is not None:
            raise self.fault
        self.fault = None
        self.joints, self.speeds = self.joints + 0.001, np.zeros(6)  # an arm that was braked is not where it was sent

    def close(self) -> None:
        self.calls.append("close")

    def _trouble(self) -> None:
        if self.fault is not None:
            raise self.fault
        if self.error is not None:
            raise self.error


class Bench:
    """A host without a process: its loop, the main process's side of the mailboxes, and time."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.settings = HostSettings("m:a", park_joints_rad=PARK, **options)
        descriptor = shared_file()
        self.main, boxes = Mailboxes(descriptor), Mailboxes(descriptor)
        os.close(descriptor)
        self.now_ns, self.gone, self.going, self.ticks = 1_000_000_000, "", True, 0
        self.arm = Arm()
        self.file = folder / "arm_host.jsonl"
        self.journal = Journal(self.file, boxes.events)
        self.servo = Servo(self.arm, boxes, self.settings, lambda: self.now_ns, self.journal, lambda: self.gone)
        self.speed = 0.0
        self.cycles(3)

    def cycles(self, count: int, *, beat: bool = False, until_end: bool = False) -> None:
        for _ in range(count):
            if not self.going:
                return
            self.now_ns = self.arm.now_ns = self.now_ns + CYCLE_NS
            if beat:
                self.main.beats.append(self.now_ns)
            self.going = self.servo.cycle(self.now_ns)
        assert not (until_end and self.going), "the exit policy was not done in time"

    def move(self, periods: int, mode: int = POSITION) -> None:
        """The main process's control loop: joint 0 and 3 gather way, then go on at SPEED."""
        for _ in range(periods):
            self.speed = min(self.speed + 0.06, SPEED)
            self.ticks += 1
            self.place = getattr(self, "place", 0.0) + self.speed * 0.01
            values = [q + self.place * (i in (0, 3)) for i, q in enumerate(HOME)]
            if mode == VELOCITY:
                values = [self.speed * (i in (0, 3)) for i in range(6)]
            self.main.commands.append(mode, self.now_ns, self.now_ns, *values, 1.0)
            self.cycles(PERIOD_NS // CYCLE_NS)

    def ask(self, kind: int) -> int:
        return self.main.commands.append(kind, 0, self.now_ns, *[0.0] * 6, 0.0)

    @property
    def fault(self) -> tuple[str, str] | None:
        rows = self.main.status.take()
        self.status = rows[-1] if rows else getattr(self, "status", None)
        if self.status is None or not self.status[1]:
            return None
        return FAULT_KINDS[self.status[2]], as_text(self.status[5])

    def log(self) -> list[dict[str, Any]]:
        self.journal.close()
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    @property
    def speeds(self) -> np.ndarray:
        return np.diff(np.array(self.arm.path), axis=0) / (CYCLE_NS * 1e-9)

    def assert_gentle(self, since: int = 0) -> None:
        """No setpoint of all asked for more than the limits."""
        speeds = self.speeds[since:]
        limits = self.settings.limits
        assert (np.abs(speeds) <= np.array(limits.velocity_rad_s) + 1e-6).all()
        assert (np.abs(np.diff(speeds, axis=0)) <= 10.0 * CYCLE_NS * 1e-9 + 1e-6).all()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.journal.close()


def test_it_holds_the_arm_where_it_found_it(bench: Bench) -> None:
    bench.cycles(100)
    assert (np.array(bench.arm.path) == HOME).all()
    assert bench.arm.opening == 0.5
    assert bench.fault is None


def test_it_follows_and_returns_every_state(bench: Bench) -> None:
    bench.move(60)
    assert len(bench.main.states.take()) == len(bench.arm.path) == 303
    assert bench.speeds[-50:, 0] == pytest.approx(SPEED)
    assert bench.arm.opening == 1.0
    bench.assert_gentle()
    assert [row for row in bench.log() if row["kind"] != "late"] == []


def test_velocities_are_followed_too(bench: Bench) -> None:
    bench.move(40, VELOCITY)
    assert bench.speeds[-50:, 3] == pytest.approx(SPEED)
    bench.assert_gentle()


PATHS = ("close", "main_gone", "heartbeat")


@pytest.mark.parametrize("way", PATHS)
@pytest.mark.parametrize("policy", ["hold", "park", "limp"])
@pytest.mark.parametrize("moving", [True, False])
def test_every_way_out_ends_in_the_exit_policy(tmp_path: Path, policy: Any, way: str, moving: bool) -> None:
    bench = Bench(tmp_path, exit_policy=policy)
    bench.move(30)
    if not moving:
        bench.ask(STOP)
        bench.cycles(100, beat=True)
    start = len(bench.arm.path)
    if way == "close":
        bench.ask(CLOSE)
    elif way == "main_gone":
        bench.gone = "the main process ended"
    bench.cycles(60)  # nothing is heard any more
    places = np.array(bench.arm.path[start - 1 :])
    if moving:
        braking = np.diff(places, axis=0)[:, 0]
        assert (braking[: len(braking) // 3] > 0.0).all()  # along the present motion
    if way == "heartbeat":
        bench.cycles(1500)
        fault = bench.fault
        if not moving:
            assert fault is None  # it rests: silence is nothing to fear
            bench.journal.close()
            return
        assert fault is not None
        assert fault[0] == "driver"
        assert "silent for 1" in fault[1]
        assert bench.going  # the main process may come back
    else:
        bench.cycles(1500, until_end=True)
    bench.assert_gentle(start - 3)
    final = bench.arm.path[-1].tolist()
    if policy == "park":
        assert final == pytest.approx(PARK, abs=1e-9)
        assert np.abs(bench.speeds[start + 150 :]).max() <= 0.15 * math.pi + 1e-6
    else:
        assert final[1] == pytest.approx(HOME[1])
        assert final[0] == pytest.approx(final[3] + 1.5)
    assert bench.arm.calls == (["limp"] if policy == "limp" else [])
    assert bench.servo.gave_way == (policy == "limp")
    rests = [row for row in bench.log() if row["kind"] == "at_rest"]
    assert len(rests) == (1 if moving else 2)
    if moving:
        [rest] = rests
        assert 0.08 < rest["duration_s"] < (0.14 if way != "heartbeat" else 0.25)
        assert 0.02 < rest["distance_rad"] < 0.09
        assert rest["distance_rad"] == max(rest["moved_rad"])


@pytest.mark.parametrize(("silent_ms", "lost"), [(20, False), (60, False), (96, False), (104, True), (500, True)])
def test_a_late_heartbeat(bench: Bench, silent_ms: int, lost: bool) -> None:
    """A control loop that stalls may go on if it is back in time; later only on the operator's word."""
    bench.move(40)
    bench.cycles(silent_ms // 2 - 4)
    at_return = len(bench.arm.path)
    bench.move(60)
    bench.assert_gentle()
    assert (bench.fault is not None) == lost
    if not lost:
        assert bench.speeds[-10:, 0] == pytest.approx(SPEED, rel=0.05)
        return
    assert bench.fault is not None
    assert bench.fault[0] == "driver"
    rest = bench.arm.path[-1].tolist()
    assert not bench.speeds[at_return + 100 :].any()
    number = bench.ask(RECOVER)
    bench.cycles(2, beat=True)
    assert bench.fault is None
    assert bench.status[3:5] == (number, True)
    assert bench.arm.path[-1].tolist() == rest  # ready, and nothing moves by itself
    bench.place, bench.speed = rest[0], 0.0
    bench.move(20)
    bench.assert_gentle()
    assert bench.speeds[-1, 0] > 0.5


@pytest.mark.parametrize("mode", [POSITION, VELOCITY])
@pytest.mark.parametrize("silent_ms", [40, 60, 96])
def test_commands_that_come_again_while_it_brakes_are_followed_from_its_present_speed(
    bench: Bench, silent_ms: int, mode: int
) -> None:
    bench.move(40, mode)
    bench.cycles(silent_ms // 2 - 4)
    braked = bench.speeds[-1, 0]
    assert 0.0 < braked < SPEED - 0.04
    at_return = len(bench.arm.path)
    if mode == POSITION:
        bench.place = bench.arm.path[-1][0] + braked * 0.01  # a loop that goes on from where it left the arm
    bench.move(30, mode)
    bench.assert_gentle()
    assert bench.fault is None
    assert bench.speeds[at_return - 1 :, 0].min() > braked - 0.02 - 1e-6  # but for the cycle that it still brakes
    assert bench.speeds[-10:, 0] == pytest.approx(SPEED, rel=0.05)


def test_a_heartbeat_without_commands_is_one(bench: Bench) -> None:
    bench.move(30)
    bench.cycles(200, beat=True)
    assert bench.fault is None
    assert bench.arm.path[-1][0] == pytest.approx(bench.place, abs=1e-9)  # the last command is reached


def test_silence_before_the_first_command_or_after_a_stop_is_no_fault(bench: Bench) -> None:
    bench.cycles(500)
    assert bench.fault is None
    bench.move(20)
    bench.ask(STOP)
    bench.cycles(500)
    assert bench.fault is None
    bench.place, bench.speed = bench.arm.path[-1][0], 0.0
    bench.move(20)
    assert bench.speeds[-1, 0] > 0.5
    bench.assert_gentle()


def test_recovering_while_it_still_brakes_or_parks_waits_for_rest(tmp_path: Path) -> None:
    bench = Bench(tmp_path, exit_policy="park")
    bench.move(40)
    bench.cycles(52 + 100)  # it parks by now
    assert np.abs(bench.speeds[-1]).max() > 0.05
    number = bench.ask(RECOVER)
    bench.cycles(1)
    assert bench.fault is not None
    bench.cycles(100)
    assert bench.fault is None
    assert bench.status[3:5] == (number, True)
    assert np.abs(bench.speeds[-1]).max() == 0.0
    assert bench.arm.path[-1].tolist() != pytest.approx(PARK)
    bench.assert_gentle()


@pytest.mark.parametrize("after", [52, 52 + 100])
def test_stop_ends_what_follows_a_lost_heartbeat(tmp_path: Path, after: int) -> None:
    """While it brakes, and while it parks."""
    bench = Bench(tmp_path, exit_policy="park")
    bench.move(40)
    bench.cycles(after)
    assert bench.speeds[-1].any()
    bench.ask(STOP)
    bench.cycles(100)
    rest = bench.arm.path[-1].tolist()
    bench.cycles(1000)
    assert bench.arm.path[-1].tolist() == rest != pytest.approx(PARK)
    assert bench.fault is not None
    bench.assert_gentle()


@pytest.mark.parametrize("way", ["close", "heartbeat"])
def test_an_arm_whose_way_to_the_parking_place_is_barred_holds(tmp_path: Path, way: str) -> None:
    x, y, z = forward(PARK).translation.tolist()
    box = Box("crate", (x - 0.01, y - 0.01, z - 0.01), (x + 0.01, y + 0.01, z + 0.01))
    around = Surroundings(UR10E, (0.0, 0.0, 0.15), Workspace(), (box,), True, 0.01, 0.065)
    bench = Bench(tmp_path, exit_policy="park", surroundings=around)
    bench.move(40)
    if way == "close":
        bench.ask(CLOSE)
    bench.cycles(52 + 100)
    rest = bench.arm.path[-1].tolist()
    bench.cycles(1000, until_end=way == "close")
    assert bench.arm.path[-1].tolist() == rest
    [told] = [row["text"] for row in bench.log() if "does not park" in row["text"]]
    assert "tool and crate" in told or "wrist 3 and crate" in told
    bench.assert_gentle()


def test_stop_ends_the_parking_at_the_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path, exit_policy="park")
    bench.move(40)
    bench.ask(CLOSE)
    bench.cycles(52 + 100)
    assert np.abs(bench.speeds[-1]).max() > 0.05
    bench.ask(STOP)
    bench.cycles(150, until_end=True)
    assert np.abs(bench.speeds[-1]).max() == 0.0
    assert bench.arm.path[-1].tolist() != pytest.approx(PARK)
    bench.assert_gentle()
    bench.journal.close()


def test_a_fault_while_it_still_brakes_answers_who_asked_for_recovery(bench: Bench) -> None:
    bench.move(40)
    bench.cycles(52)  # it brakes: the heartbeat was lost
    number = bench.ask(RECOVER)
    bench.cycles(1)
    assert bench.fault is not None
    assert bench.status[3] != number
    bench.arm.fault = ArmFault("protective_stop", "a collision")
    bench.cycles(1)
    assert bench.fault == ("protective_stop", "a collision")
    assert bench.status[3:5] == (number, False)


def test_an_error_in_the_driver_s_recovery_is_answered(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    bench.move(10)
    bench.arm.fault = ArmFault("protective_stop", "a collision")
    bench.cycles(1)
    recover = bench.arm.recover

    def fail() -> None:
        raise ZeroDivisionError("an error of the driver's own")

    bench.arm.recover = fail  # type: ignore[method-assign]
    number = bench.ask(RECOVER)
    bench.cycles(1)
    assert bench.fault == ("driver", "ZeroDivisionError in the driver of arm: an error of the driver's own")
    assert bench.status[3:5] == (number, False)
    assert "ZeroDivisionError" in capfd.readouterr().err
    bench.arm.recover = recover  # type: ignore[method-assign]
    bench.ask(RECOVER)
    bench.cycles(3)
    assert bench.fault is None


@pytest.mark.parametrize("policy", ["hold", "park", "limp"])
@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_a_fault_of_the_driver_crosses_at_once(tmp_path: Path, policy: Any, kind: Any) -> None:
    bench = Bench(tmp_path, exit_policy=policy)
    bench.move(30)
    bench.arm.fault = ArmFault(kind, "the reason")
    sent = len(bench.arm.path)
    bench.cycles(1, beat=True)
    assert bench.fault == (kind, "the reason")
    assert bench.arm.calls == ["stop"]
    bench.move(50)
    assert len(bench.arm.path) == sent  # nothing is sent
    assert bench.arm.calls == ["stop", "limp"] if policy == "limp" else ["stop"]
    bench.arm.stuck = True
    number = bench.ask(RECOVER)
    bench.cycles(1)
    assert bench.fault == (kind, "the reason")
    assert bench.status[3:5] == (number, False)
    bench.arm.stuck = False
    number = bench.ask(RECOVER)
    bench.cycles(5)
    assert bench.fault is None
    assert bench.status[3:5] == (number, True)
    assert bench.arm.path[-1].tolist() == (bench.arm.path[sent - 1] + 0.001).tolist()  # held where it is now
    bench.gone = "the main process ended"
    bench.cycles(1500, until_end=True)


@pytest.mark.parametrize("policy", ["hold", "park", "limp"])
@pytest.mark.parametrize("way", ["close", "main_gone"])
def test_it_ends_with_a_fault_too(tmp_path: Path, policy: Any, way: str) -> None:
    bench = Bench(tmp_path, exit_policy=policy)
    bench.move(30)
    bench.arm.fault = ArmFault("emergency_stop", "pressed")
    bench.cycles(1)
    if way == "close":
        bench.ask(CLOSE)
    else:
        bench.gone = "the main process ended"
    bench.cycles(300, until_end=True)
    assert bench.arm.calls == (["stop", "limp"] if policy == "limp" else ["stop"])


def test_an_error_of_the_driver_s_own_is_a_fault(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    bench.move(10)
    bench.arm.error = KeyError("speed_scaling")
    bench.cycles(1)
    assert bench.fault == ("driver", "KeyError in the driver of arm: 'speed_scaling'")
    assert "Traceback" in capfd.readouterr().err
    bench.arm.error = None
    bench.ask(RECOVER)
    bench.cycles(3)
    assert bench.fault is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_not_sent(bench: Bench, value: float) -> None:
    bench.move(20)
    for joint in range(7):
        values = [*HOME, 1.0]
        values[joint] = value
        bench.main.commands.append(POSITION, 0, bench.now_ns, *values)
    bench.move(1)
    assert np.isfinite(bench.arm.path).all()
    assert [row["kind"] for row in bench.log()][-2:] == ["non_finite", "non_finite"]


def test_clamps_are_told_but_not_flooded(bench: Bench) -> None:
    for _ in range(250):
        bench.main.commands.append(POSITION, bench.now_ns, bench.now_ns, *[7.0, *HOME[1:]], 3.0)
        bench.cycles(5)
    bench.assert_gentle()
    assert max(q[0] for q in bench.arm.path) <= 2.0 * math.pi
    assert bench.arm.opening == 1.0
    told = [row for row in bench.log() if row["kind"] == "position"]
    assert 3 <= len(told) <= 4
    assert sum(row.get("count", 1) for row in told) > 1200
    assert told[0]["joint"] == 0
    assert told[0]["limit"] == pytest.approx(2.0 * math.pi)


def test_a_loop_that_stood_still_brings_the_arm_to_rest(bench: Bench) -> None:
    bench.move(40)
    bench.now_ns += 700_000_000
    at = len(bench.arm.path)
    bench.move(30)
    assert bench.fault is not None
    assert "stood still for 702 ms" in bench.fault[1]
    assert np.array(bench.arm.path[at:]) == pytest.approx(
        np.array([bench.arm.path[at - 1]] * (len(bench.arm.path) - at))
    )


def test_limp_is_left_by_the_next_command(bench: Bench) -> None:
    bench.move(30)
    bench.ask(LIMP)
    bench.cycles(100, beat=True)
    assert bench.arm.calls == ["limp"]
    sent = len(bench.arm.path)
    bench.cycles(50, beat=True)
    assert len(bench.arm.path) == sent
    bench.arm.joints = bench.arm.joints + 0.4  # moved by hand
    bench.place, bench.speed = bench.arm.joints[0], 0.0
    bench.move(1)
    assert bench.arm.path[sent][0] == pytest.approx(bench.place, abs=0.01)
    assert len(bench.arm.path) > sent


def test_an_arm_that_was_moved_at_rest_is_not_pulled_back(bench: Bench) -> None:
    bench.move(20)
    bench.ask(STOP)
    bench.cycles(100)
    bench.arm.joints = there = bench.arm.joints + 0.5
    bench.cycles(50)
    assert bench.arm.path[-1].tolist() != there.tolist()  # this arm goes back to where it is sent at once
    for _ in range(5):
        bench.arm.joints = there  # and is held there by something stronger
        bench.cycles(1)
    bench.cycles(50)
    assert {tuple(q) for q in bench.arm.path[-50:]} == {tuple(there)}


def test_one_damaged_reading_moves_nothing(bench: Bench) -> None:
    bench.cycles(10)
    for value in (1e293, 0.7, math.nan, -math.inf):
        bench.arm.joints = np.array([value, *HOME[1:]])
        bench.cycles(20)
    assert (np.array(bench.arm.path) == HOME).all()
    assert bench.fault is None


@pytest.mark.parametrize("value", [1e293, math.nan, math.inf])
def test_an_arm_that_cannot_be_there_is_a_fault(tmp_path: Path, value: float) -> None:
    bench = Bench(tmp_path)
    bench.servo._started = False
    bench.arm.joints = np.array([HOME[0], value, *HOME[2:]])
    sent = len(bench.arm.path)
    bench.cycles(2)
    assert bench.fault == ("driver", f"joint 1 of arm reads {value} rad: the arm cannot be there")
    assert len(bench.arm.path) == sent
    bench.journal.close()


@pytest.mark.parametrize("policy", ["park", "limp"])
@pytest.mark.parametrize("way", ["close", "main_gone", "fault"])
def test_an_arm_that_was_never_commanded_is_left_where_it_is(tmp_path: Path, policy: Any, way: str) -> None:
    bench = Bench(tmp_path, exit_policy=policy)
    bench.cycles(20)
    if way == "main_gone":
        bench.gone = "the main process ended"
    else:
        if way == "fault":
            bench.arm.fault = ArmFault("protective_stop", "hit")
        bench.ask(CLOSE)
    bench.cycles(300, until_end=True)
    assert (np.array(bench.arm.path) == HOME).all()
    assert "limp" not in bench.arm.calls
    bench.journal.close()


def test_stop_ends_limp(bench: Bench) -> None:
    bench.move(10)
    bench.ask(LIMP)
    bench.cycles(100, beat=True)
    bench.arm.joints = there = bench.arm.joints + 0.3
    sent = len(bench.arm.path)
    bench.ask(STOP)
    bench.cycles(50, beat=True)
    assert len(bench.arm.path) > sent
    assert {tuple(q) for q in bench.arm.path[sent:]} == {tuple(there)}
