"""The controller's states, with no socket in sight."""

from __future__ import annotations

import numpy as np
import pytest

from geometry.types import Array
from robot.kinematics import UR10E_HOME_RAD
from robot.ur.loopback.controller import Controller
from robot.ur.loopback.modes import RobotMode, Runtime, SafetyMode
from robot.ur.loopback.motion import Servo, joint_line
from robot.ur.loopback.plant import CYCLE_S, IdealPlant
from robot.ur.loopback.rtde_program import RtdeProgram
from robot.ur.loopback.script_lines import Move, moves
from robot.ur.loopback.script_server import StatementsProgram
from robot.ur.loopback.settings import ControllerSettings, arm_model

HOME: Array = np.array(UR10E_HOME_RAD)
SCRIPT = b"def rtde_control():\n global reg_offset_int = # int register offset\n0\nend\n"


class Rig:
    """A controller and an ideal arm."""

    def __init__(self, **settings: float) -> None:
        self.plant = IdealPlant(HOME, joint_lag_s=0.0)
        self.arm = Controller(arm_model("ur10e"), ControllerSettings(**settings), HOME)  # type: ignore[arg-type]

    def run(self, seconds: float) -> Array:
        """Joint positions of the cycles, shape (N, 6)."""
        path = []
        for _ in range(round(seconds / CYCLE_S)):
            joints, velocity, _ = self.plant.read()
            self.plant.command(self.arm.step(joints, velocity), 1.0)
            path.append(self.plant.read()[0])
        return np.array(path)

    def command(self, command: int, *numbers: float, **integers: int) -> None:
        """What ur_rtde writes into the registers."""
        fields: dict[str, float | int] = {f"input_double_register_{i}": n for i, n in enumerate(numbers)}
        fields |= {f"input_int_register_{name[1:]}": n for name, n in integers.items()}
        fields["input_int_register_0"] = command
        self.arm.registers.write(fields)  # type: ignore[arg-type]

    @property
    def state(self) -> int:
        """The script's state register: 1 ready, 2 done."""
        return self.arm.registers.values["output_int_register_0"]  # type: ignore[return-value]


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def playing(rig: Rig) -> Rig:
    assert rig.arm.play(RtdeProgram(SCRIPT))
    rig.run(0.01)
    return rig


def moving(rig: Rig) -> None:
    """Joint 1 at 1 rad/s."""
    rig.command(9, 1.0, 0, 0, 0, 0, 0, 5.0, 0.002)
    rig.run(0.5)
    assert rig.arm.targets.rad_s[0] == pytest.approx(1.0)


def test_handshake(playing: Rig) -> None:
    assert playing.state == 1
    playing.command(1, *(HOME + 0.02), 1.0, 4.0)
    playing.run(0.01)
    assert playing.state == 1
    playing.run(1.0)
    assert playing.state == 2
    assert playing.arm.targets.rad == pytest.approx(HOME + 0.02)
    playing.command(0)
    playing.run(0.002)
    assert playing.state == 1
    playing.command(255)
    playing.run(0.002)
    assert playing.arm.program is None


@pytest.mark.parametrize("cause", ["stop", "protective_stop", "safeguard_stop", "emergency_stop", "pause"])
def test_every_stop_decelerates_within_the_brakes_figure_and_holds(playing: Rig, cause: str) -> None:
    moving(playing)
    start, arm = playing.plant.read()[0], playing.arm
    {
        "stop": lambda: arm.stop("test"),
        "protective_stop": lambda: arm.protective_stop("test", "test"),
        "safeguard_stop": arm.safeguard_stop,
        "emergency_stop": arm.emergency_stop,
        "pause": arm.pause,
    }[cause]()
    path = playing.run(0.5)
    speeds = np.diff(path[:, 0]) / CYCLE_S
    assert np.diff(speeds).min() >= -10.0 * CYCLE_S * 1.01
    assert path[-1, 0] - start[0] == pytest.approx(1.0 / (2 * 10.0), abs=0.005)
    assert speeds[-1] == 0.0
    assert arm.runtime is (Runtime.STOPPED if cause in ("stop", "emergency_stop") else Runtime.PAUSED)


def test_a_stop_is_not_slowed_by_the_slider(playing: Rig) -> None:
    moving(playing)
    playing.arm.registers.speed_slider = 0.5
    playing.run(0.5)
    assert playing.arm.targets.rad_s[0] == pytest.approx(0.5)
    playing.arm.stop("test")
    playing.run(0.06)
    assert playing.arm.targets.rad_s[0] == 0.0


def test_slider_at_zero_holds_and_goes_on(playing: Rig) -> None:
    playing.command(1, *(HOME + 0.3), 1.0, 4.0)
    playing.run(0.1)
    playing.arm.registers.speed_slider = 0.0
    playing.run(0.5)
    held = playing.arm.targets.rad
    assert np.array_equal(playing.run(0.2)[-1], held)
    playing.arm.registers.speed_slider = 1.0
    playing.run(2.0)
    assert playing.state == 2


def test_servoj_is_taken_every_cycle_and_the_last_target_is_kept(playing: Rig) -> None:
    for i in range(100):
        playing.command(11, *(HOME + 0.0002 * i), 0, 0, 0.002, 0.05, 300)
        playing.run(0.002)
        assert playing.state == 1
    playing.run(1.0)
    assert playing.arm.targets.rad == pytest.approx(HOME + 0.0198, abs=1e-5)
    assert isinstance(playing.arm.targets.motion, Servo)


def test_move_while_servoing_is_a_runtime_error(playing: Rig) -> None:
    playing.command(11, *HOME, 0, 0, 0.002, 0.05, 300)
    playing.run(0.01)
    playing.command(1, *(HOME + 0.1), 1.0, 1.0)
    playing.run(0.01)
    assert playing.arm.program is None
    assert "another thread" in playing.arm.events[-1]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_arguments_that_are_no_numbers_end_the_program(playing: Rig, bad: float) -> None:
    playing.command(11, bad, *HOME[1:], 0, 0, 0.002, 0.05, 300)
    playing.run(0.01)
    assert playing.arm.program is None
    assert np.isfinite(playing.arm.targets.rad).all()


def test_speed_into_a_joint_limit_is_a_protective_stop(playing: Rig) -> None:
    playing.command(9, 0, 0, 1.5, 0, 0, 0, 5.0, 0.002)
    playing.run(3.0)
    assert playing.arm.safety is SafetyMode.PROTECTIVE_STOP
    assert any("out of its range" in event for event in playing.arm.events)
    assert playing.arm.targets.rad_s[2] == 0.0


def test_movel_through_a_singularity_is_a_protective_stop(playing: Rig) -> None:
    playing.command(10, -1.0, 0, 0, 0, 0, 0, 1.0, 0.002)
    playing.run(3.0)
    assert playing.arm.safety is SafetyMode.PROTECTIVE_STOP


def test_an_arm_that_is_held_is_a_protective_stop(playing: Rig) -> None:
    playing.plant.blocked = True
    playing.command(9, 0.5, 0, 0, 0, 0, 0, 5.0, 0.002)
    playing.run(1.0)
    assert playing.arm.safety is SafetyMode.PROTECTIVE_STOP
    assert any("C153" in event for event in playing.arm.events)
    assert playing.arm.targets.rad == pytest.approx(HOME, abs=0.01), "it goes on pushing"


def test_unlock_waits_and_play_goes_on(playing: Rig) -> None:
    moving(playing)
    playing.arm.protective_stop("test", "test")
    playing.run(1.0)
    assert not playing.arm.unlock()
    assert not playing.arm.play()
    playing.run(4.5)
    assert playing.arm.unlock()
    assert playing.arm.play()
    playing.run(0.5)
    assert playing.arm.targets.rad_s[0] == pytest.approx(1.0)


def test_emergency_stop_takes_the_power_when_the_arm_rests(playing: Rig) -> None:
    moving(playing)
    playing.arm.emergency_stop()
    playing.run(0.05)
    assert playing.arm.mode is RobotMode.RUNNING
    playing.run(0.2)
    assert playing.arm.mode is RobotMode.POWER_OFF
    assert not playing.arm.power(RobotMode.RUNNING)
    playing.arm.release()
    assert playing.arm.power(RobotMode.RUNNING)
    playing.run(0.5)
    assert playing.arm.mode is not RobotMode.RUNNING
    playing.run(0.3)
    assert playing.arm.mode is RobotMode.RUNNING


def test_watchdog(playing: Rig) -> None:
    playing.command(35, 10.0)
    playing.run(0.09)
    assert playing.arm.program is not None
    playing.command(0)
    playing.run(0.09)
    assert playing.arm.program is not None
    playing.run(0.02)
    assert playing.arm.program is None
    assert "watchdog" in playing.arm.events[-1]


def test_freedrive_gives_way(playing: Rig) -> None:
    playing.command(18)
    playing.run(0.01)
    pushed = HOME + 0.1
    assert np.array_equal(playing.arm.step(pushed, np.zeros(6)), pushed)
    playing.command(0)
    playing.run(0.004)
    playing.command(19)
    playing.run(0.01)
    held = playing.arm.targets.rad
    playing.arm.step(held + 0.1, np.zeros(6))
    assert np.array_equal(playing.arm.targets.rad, held)


def test_asynchronous_progress(playing: Rig) -> None:
    playing.command(1, *(HOME + 0.1), 1.0, 4.0, _1=1)
    playing.run(0.02)
    progress = int(playing.arm.registers.values["output_int_register_2"])  # type: ignore[arg-type]
    assert progress & 0x8000
    assert playing.state == 2
    playing.run(1.0)
    after = int(playing.arm.registers.values["output_int_register_2"])  # type: ignore[arg-type]
    assert not after & 0x8000
    assert after >> 24 == progress >> 24


def test_a_new_move_begins_at_rest(rig: Rig) -> None:
    rig.arm.play(StatementsProgram("first", [Move(False, False, tuple(HOME + 1.0), 1.0, 5.0)]))
    before = rig.run(0.5)
    rig.arm.play(StatementsProgram("second", [Move(False, False, tuple(HOME), 1.0, 5.0)]))
    path = np.concatenate((before[-2:], rig.run(3.0)))
    speeds = np.diff(path[:, 0]) / CYCLE_S
    assert speeds[0] == pytest.approx(1.0)
    assert np.abs(np.diff(speeds)).max() <= 10.0 * CYCLE_S * 1.01
    assert rig.arm.safety is SafetyMode.NORMAL
    assert path[-1] == pytest.approx(HOME)


def test_nothing_plays_without_power(rig: Rig) -> None:
    rig.arm.power(RobotMode.POWER_OFF)
    assert not rig.arm.play(StatementsProgram("p", []))
    rig.arm.targets.begin(lambda q, _: joint_line(q, HOME + 0.1, 1.0, 1.0))
    assert np.array_equal(rig.run(0.1)[-1], HOME)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("movej([0,1,2,3,4,5], a=2, v=3)", [Move(False, False, (0, 1, 2, 3, 4, 5), 3, 2)]),
        ("movel(p[0, -1.5e-1, .2, 3., 4, 5], v=0.1)", [Move(True, True, (0, -0.15, 0.2, 3, 4, 5), 0.1, 1.2)]),
        ("movel([0,1,2,3,4,5])", [Move(True, False, (0, 1, 2, 3, 4, 5), 0.25, 1.2)]),
        ("movej([0,1,2,3,4])", []),
        ("movej(q)", []),
    ],
)
def test_moves_in_a_script(text: str, found: list[Move]) -> None:
    assert moves(text) == found
