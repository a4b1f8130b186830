"""The arm host as a process: what happens to it, and to the arm, when processes end in all the ways they can."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.errors import BadInput, Missing
from robot.arm import Arm, ArmFault, BufferedArm, JointCommand
from robot.host import HostedArm, HostSettings
from robot.kinematics import UR10E_LIMITS
from tests.robot.host.main_process import drive

# a machine that is busy with other tests must not look like a control loop that is silent
HASTE = {"priority": 60, "heartbeat_ns": 1_000_000_000}
TOY = "tests.robot.host.toy_arm:ToyArm"
PARK = (0.3, -1.4, 1.4, -1.2, -1.5, 0.0)
CYCLE_S = 0.002
# what the host may take to see that the main process is silent, and then that it is gone, in cycles of its own [s]
SEEN_S = 0.06
ROOT = Path(__file__).resolve().parents[3]


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(0.005)
    return found


class Rig:
    """A folder with a toy arm's log and the host's."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.epoch_ns = folder, time.monotonic_ns()
        (folder / "toy").mkdir()

    def arm(self, **options: Any) -> HostedArm:
        options = HASTE | {"options": {"folder": str(self.folder / "toy")} | options.pop("more", {})} | options
        return HostedArm(HostSettings(TOY, epoch_ns=self.epoch_ns, log_path=self.folder / "arm_host.jsonl", **options))

    def trouble(self, name: str, text: str = "") -> None:
        written = self.folder / name
        written.write_text(text)
        written.replace(self.folder / "toy" / name)  # never seen half written

    def now_ns(self) -> int:
        return time.monotonic_ns() - self.epoch_ns

    def calls(self) -> list[tuple[int, str, list[str]]]:
        """What the driver was told: when, what, and the values."""
        path = self.folder / "toy" / "driver.log"
        rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [(int(row[0]), row[1], row[2:]) for row in rows if len(row) > 1]

    def has(self, call: str) -> bool:
        return any(name == call for _, name, _ in self.calls())

    @property
    def host_pid(self) -> int:
        return int(next(values[0] for _, name, values in self.calls() if name == "connect"))

    def path(self) -> tuple[np.ndarray, np.ndarray]:
        """When the arm was sent where [ns], [rad]."""
        sent = [(stamp, values) for stamp, name, values in self.calls() if name == "send" and len(values) == 7]
        return np.array([stamp for stamp, _ in sent]), np.array([list(map(float, values[:6])) for _, values in sent])

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "arm_host.jsonl").read_text().splitlines()]

    def kinds(self) -> list[str]:
        return [row["kind"] for row in self.log()]

    def assert_gentle(self) -> None:
        """No setpoint asked for more than the limits allow from cycle to cycle."""
        speeds = np.diff(self.path()[1], axis=0) / CYCLE_S
        assert (np.abs(speeds) <= np.array(UR10E_LIMITS.velocity_rad_s) + 1e-6).all()
        assert (np.abs(np.diff(speeds, axis=0)) / CYCLE_S <= 10.0 + 1e-3).all()

    def speed(self) -> float:
        """What joint 0 moves by now [rad/s]."""
        places = self.path()[1]
        return float(places[-1, 0] - places[-11, 0]) / (10 * CYCLE_S) if len(places) > 11 else 0.0

    def assert_braked(self, since_ns: int) -> None:
        """From an instant on nobody but the host moved the arm, and it braked at once; parking is another motion.

        It is counted in the host's cycles: a busy machine may keep all of them waiting.
        """
        stamps, places = self.path()
        before = places[stamps <= since_ns][-1]
        steps = np.diff(places[stamps > since_ns], axis=0, prepend=before[None])
        still = int(np.flatnonzero(np.abs(steps).max(axis=1) == 0.0)[0])
        fastest = float(np.abs(steps[:still]).max(initial=0.0)) / CYCLE_S
        # v/a + a/j and v^2/(2 a) + v a/(2 j), with 10 rad/s^2 and 250 rad/s^3
        assert still * CYCLE_S <= SEEN_S + fastest / 10.0 + 0.04
        assert np.abs(steps[:still].sum(axis=0)).max() <= fastest * (SEEN_S + fastest / 20.0 + 0.02) + 1e-9

    def place_at(self, stamp_ns: float) -> np.ndarray:
        """Where the arm was sent last before an instant [rad]."""
        stamps, places = self.path()
        return np.array(places[stamps <= stamp_ns][-1])


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


@pytest.fixture
def main(rig: Rig) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(how: str = "", **options: Any) -> subprocess.Popen[str]:
        told = json.dumps({"folder": str(rig.folder), "how": how, "epoch_ns": rig.epoch_ns} | HASTE | options)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.robot.host.main_process", told],
            cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "moving\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def is_running(pid: int) -> bool:
    """Whether a process is there and not only waits to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def assert_gone(pid: int) -> None:
    wait_for(lambda: not is_running(pid), "the end of the arm host")


# -- a run without trouble ------------------------------------------------------------------------------------------


def test_a_run(rig: Rig) -> None:
    arm = rig.arm()
    assert isinstance(arm, Arm)
    assert isinstance(arm, BufferedArm)
    arm.connect()
    assert (arm.name, len(arm.joint_names)) == ("toy", 6)
    with pytest.raises(FileNotFoundError):  # nothing with a name that could be left behind
        (Path("/dev/shm") / "eyehand-arm-host").stat()
    drive(arm, rig.epoch_ns, 0.4)
    states = arm.read_states()
    wait_for(lambda: states.extend(arm.read_states()) or len({state.sequence for state in states}) > 10, "states")
    states = sorted({state.sequence: state for state in states}.values(), key=lambda state: state.sequence)
    assert [state.sequence for state in states] == list(range(states[0].sequence, states[-1].sequence + 1))
    assert 0 <= rig.now_ns() - states[-1].stamp_ns < 5_000_000_000
    assert arm.read_state().joint_positions_rad[0] > 0.05
    assert len(arm.read_states()) >= 1
    pid = rig.host_pid
    arm.close()
    arm.close()
    assert not is_running(pid)
    assert not (rig.folder / "arm_host.log").exists()  # nothing was printed
    rig.assert_gentle()
    calls = [name for _, name, _ in rig.calls() if name != "send"]
    assert calls == ["connect", "stop", "close"]
    kinds = [kind for kind in rig.kinds() if kind not in ("late", "acceleration", "velocity")]
    assert kinds == ["connected", "stop", "at_rest", "hold", "timing", "closed"]
    assert {"connected", "stop", "at_rest", "hold"} <= {event.kind for event in arm.events()}
    assert arm.events() == []
    timing = rig.log()[-2] if rig.log()[-2]["kind"] == "timing" else rig.log()[-3]
    stamps, _ = rig.path()
    assert timing["cycles"] == pytest.approx(len(stamps), abs=2)
    assert timing["period_p50_us"] == pytest.approx(np.median(np.diff(stamps)) * 1e-3, rel=0.2)
    with pytest.raises(ArmFault, match="is not connected"):
        arm.read_state()


def test_the_numbers_of_states_go_on_when_it_connects_anew(rig: Rig) -> None:
    arm = rig.arm()
    arm.connect()
    before = arm.read_states()[-1].sequence
    arm.close()
    arm.connect()
    time.sleep(0.02)
    again = [state.sequence for state in arm.read_states()]
    arm.close()
    assert again[0] > before
    assert again == sorted(set(again))


@pytest.mark.parametrize(
    ("refuse", "error", "sentence"),
    [
        ("missing", Missing, "^toy arm at 10.0.0.1 does not answer: switch it on$"),
        ("bad", BadInput, "^rig.arm.options.model: ur11: expected ur10e$"),
        ("fault", ArmFault, "^toy arm: the emergency stop is pressed$"),
        ("raise", Missing, "ZeroDivisionError: an error of the driver's own"),
        ("exit", Missing, "ended with exit code 9"),
    ],
)
def test_a_driver_that_cannot_connect_says_so_here(
    rig: Rig, refuse: str, error: type[Exception], sentence: str
) -> None:
    arm = rig.arm(more={"refuse": refuse})
    with pytest.raises(error, match=sentence) as caught:
        arm.connect()
    assert_gone(rig.host_pid)
    if isinstance(caught.value, ArmFault):
        assert caught.value.kind == "emergency_stop"
    arm.close()


def test_a_driver_that_never_connects_is_given_up(rig: Rig) -> None:
    with pytest.raises(Missing, match=r"did not connect within 1.5 s"):
        rig.arm(more={"refuse": "hang"}, connect_timeout_s=1.5).connect()
    if rig.calls():
        assert_gone(rig.host_pid)


@pytest.mark.parametrize(
    ("driver", "more", "words"),
    [
        ("no.such:Arm", {}, "no.such:Arm cannot be imported: No module named 'no'"),
        ("math:Arm", {}, "math:Arm cannot be imported"),
        (TOY, {"folder": ".", "speed": 3}, "unexpected keyword argument 'speed'"),
        (TOY, {}, "missing a required argument: 'folder'"),
    ],
)
def test_a_driver_that_cannot_be_made_says_so_here(driver: str, more: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        HostedArm(HostSettings(driver, more)).connect()


# -- the main process fails -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["hold", "park", "limp"])
def test_the_main_process_is_killed_in_mid_motion(rig: Rig, main: Callable[..., Any], policy: str) -> None:
    process = main(exit_policy=policy, park_joints_rad=PARK)
    wait_for(lambda: rig.speed() > 0.75, "speed")
    killed_ns = rig.now_ns()
    process.kill()
    wait_for(lambda: rig.has("close"), "the arm host's end", 30.0)
    rig.assert_braked(killed_ns)
    rig.assert_gentle()
    assert_gone(rig.host_pid)
    final = rig.path()[1][-1]
    assert (np.abs(final - PARK).max() < 1e-6) == (policy == "park")
    assert [name for _, name, _ in rig.calls() if name != "send"][1:] == [
        *{"hold": ["stop"], "park": ["stop"], "limp": ["limp"]}[policy], "close"
    ]  # fmt: skip
    [rest] = [row for row in rig.log() if row["kind"] == "at_rest"]
    heard = rig.place_at(rest["stamp_ns"] - rest["duration_s"] * 1e9)  # it counts from the last sign of life
    moved = np.abs(rig.place_at(rest["stamp_ns"]) - heard).max()
    assert rest["distance_rad"] == pytest.approx(moved, abs=0.01)
    assert "main_gone" in rig.kinds()


def test_the_main_process_stalls_and_comes_back(rig: Rig, main: Callable[..., Any]) -> None:
    """SIGSTOP: the system closes nothing, only the heartbeat tells."""
    process = main()
    wait_for(lambda: rig.speed() > 0.75, "speed")
    os.kill(process.pid, signal.SIGSTOP)
    stopped_ns = rig.now_ns()
    wait_for(lambda: "at_rest" in rig.kinds() and rig.speed() == 0.0, "rest")
    rig.assert_braked(stopped_ns)
    assert is_running(rig.host_pid)
    os.kill(process.pid, signal.SIGCONT)
    kind, sentence = json.loads(process.stdout.readline())
    assert kind == "driver"
    assert re.search(r"the control loop was silent for \d{4} ms", sentence)
    assert "the arm came to rest" in sentence
    process.wait(30.0)
    assert_gone(rig.host_pid)
    rig.assert_gentle()
    assert "heartbeat_lost" in rig.kinds()


@pytest.mark.parametrize("how", ["raise", "interrupt"])
def test_an_exception_and_ctrl_c_end_in_the_exit_policy(rig: Rig, main: Callable[..., Any], how: str) -> None:
    process = main(how, exit_policy="limp")
    if how == "interrupt":
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        assert process.stdout.readline() == "interrupted\n"
    process.wait(30.0)
    assert process.returncode == (1 if how == "raise" else 0)
    rig.assert_gentle()
    assert_gone(rig.host_pid)
    assert [name for _, name, _ in rig.calls() if name != "send"] == ["connect", "limp", "close"]
    assert "stop" in rig.kinds()


def test_ctrl_c_while_it_parks_ends_in_a_brake(rig: Rig, main: Callable[..., Any]) -> None:
    far = (3.0, *PARK[1:])
    process = main(exit_policy="park", park_joints_rad=far)
    os.killpg(process.pid, signal.SIGINT)
    wait_for(lambda: "park" in rig.kinds(), "parking")
    os.killpg(process.pid, signal.SIGINT)
    process.wait(30.0)
    assert process.returncode != 0
    assert not is_running(rig.host_pid)
    rig.assert_gentle()
    assert np.abs(rig.path()[1][-1] - far).max() > 0.1
    assert "closed" in rig.kinds()


# -- the host or the driver fails -----------------------------------------------------------------------------------


def until_fault(arm: HostedArm, seconds: float = 20.0) -> ArmFault:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            arm.read_states()
        except ArmFault as fault:
            return fault
        time.sleep(0.005)
    raise AssertionError("no fault")


@pytest.fixture
def arm(rig: Rig) -> Iterator[HostedArm]:
    arm = rig.arm()
    arm.connect()
    yield arm
    arm.close()


def test_the_host_is_told_to_end(rig: Rig, arm: HostedArm) -> None:
    drive(arm, rig.epoch_ns, 0.3)
    os.kill(rig.host_pid, signal.SIGTERM)
    fault = until_fault(arm)
    assert fault.kind == "disconnected"
    assert "SIGTERM" in str(fault)
    assert_gone(rig.host_pid)
    rig.assert_gentle()
    assert "at_rest" in rig.kinds()


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("kill", "SIGKILL"),
        ("crash", "exit code 70; it last said: toy arm: the library gave up"),
        ("segfault", "SIGSEGV"),
    ],
)
def test_the_host_crashes(rig: Rig, arm: HostedArm, trouble: str, words: str) -> None:
    drive(arm, rig.epoch_ns, 0.1)
    if trouble == "kill":
        os.kill(rig.host_pid, signal.SIGKILL)
    else:
        rig.trouble(trouble)
    fault = until_fault(arm)
    assert fault.kind == "disconnected"
    assert words in str(fault)
    for call in (arm.read_state, lambda: arm.send(JointCommand(0, "position", np.zeros(6), 0.0))):
        with pytest.raises(ArmFault, match="the arm host is gone"):
            call()
    arm.stop()
    if trouble != "kill":
        for _ in range(2):  # as long as the cause is there, each reset finds it
            with pytest.raises(ArmFault, match=words.split(";")[0]):
                arm.recover()
    (rig.folder / "toy" / trouble).unlink(missing_ok=True)
    arm.recover()
    assert any(words in note and "another one was started" in note for note in arm.notes)
    drive(arm, rig.epoch_ns, 0.05)


def test_a_fault_of_the_driver_and_back(rig: Rig, arm: HostedArm) -> None:
    drive(arm, rig.epoch_ns, 0.2)
    rig.trouble("fault", "protective_stop")
    fault = until_fault(arm)
    assert (fault.kind, str(fault)) == ("protective_stop", "toy arm: protective_stop")
    sent_ns = rig.now_ns()
    for call in (arm.read_state, arm.recover, lambda: arm.send(JointCommand(0, "position", np.zeros(6), 0.0))):
        with pytest.raises(ArmFault) as caught:
            call()
        assert caught.value.kind == "protective_stop"
    (rig.folder / "toy" / "fault").unlink()
    arm.recover()
    assert arm.read_state().stamp_ns > sent_ns
    drive(arm, rig.epoch_ns, 0.2)
    arm.close()
    assert [name for _, name, _ in rig.calls() if name != "send"] == [
        "connect", "stop", "recover", "recover", "stop", "close"
    ]  # fmt: skip


def test_a_driver_that_hangs_is_seen_from_both_sides(rig: Rig, arm: HostedArm) -> None:
    drive(arm, rig.epoch_ns, 0.2)
    rig.trouble("hang", "1.6")
    wait_for(lambda: rig.has("hang"), "the hang")
    time.sleep(0.05)
    first = arm.read_states()[-1]
    time.sleep(0.1)
    assert arm.read_state().sequence == first.sequence  # its age is what the ladder sees
    wait_for(lambda: "hang" in rig.kinds(), "a line about it")
    assert "of the driver does not return" in next(row["text"] for row in rig.log() if row["kind"] == "hang")
    fault = until_fault(arm)
    assert "stood still for" in str(fault)
    arm.recover()
    drive(arm, rig.epoch_ns, 0.1)


def test_closing_does_not_wait_for_a_driver_that_hangs(rig: Rig, arm: HostedArm) -> None:
    rig.trouble("hang", "60")
    wait_for(lambda: rig.has("hang"), "the hang")
    began = time.monotonic()
    arm.close()
    assert time.monotonic() - began < 20.0
    assert any("given up" in event.text for event in arm.events())
    assert any("exit code 75" in note for note in arm.notes)


def test_a_hang_with_nobody_left_ends_the_process(rig: Rig, main: Callable[..., Any]) -> None:
    process = main()
    rig.trouble("hang", "60")
    wait_for(lambda: rig.has("hang"), "the hang")
    process.kill()
    wait_for(lambda: not is_running(rig.host_pid), "the end of the arm host")
    assert any("given up" in row["text"] for row in rig.log())
