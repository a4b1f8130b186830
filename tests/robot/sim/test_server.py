"""The world as a process: real processes, without cameras where they are not the subject."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput, Missing
from robot.arm import Arm, ArmFault, JointCommand
from robot.sim import HOME_JOINTS_RAD, SceneParameters, wire
from robot.sim.remote import RemoteArm
from robot.sim.settings import WorldSettings, parse
from robot.sim.world_client import WorldClient
from robot.sim.world_process import WorldProcess

HOME = np.array(HOME_JOINTS_RAD)
PAN = np.eye(6)[0]
EPOCH_NS = time.monotonic_ns()
LATE_S = 5.0


def clock() -> int:
    return time.monotonic_ns() - EPOCH_NS


def settings(socket_path: Path | None = None, **options: object) -> WorldSettings:
    return WorldSettings(socket_path or Path(), EPOCH_NS, renderer="none", **options)  # type: ignore[arg-type]


def until(condition: Callable[[], bool], timeout_s: float = LATE_S) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def for_ever(action: Callable[[], object]) -> None:
    while True:
        action()


@pytest.fixture(scope="module")
def world() -> Iterator[WorldProcess]:
    with WorldProcess(settings()) as process:
        yield process


@pytest.fixture
def arm(world: WorldProcess) -> Iterator[RemoteArm]:
    world.reset(1)
    arm = RemoteArm(world.socket, clock)
    arm.connect()
    yield arm
    arm.close()


def command(joints: np.ndarray, mode: str = "position", opening: float = 1.0) -> JointCommand:
    return JointCommand(clock(), mode, joints, opening)  # type: ignore[arg-type]


def speed(arm: RemoteArm) -> float:
    return float(np.abs(arm.read_state().joint_velocities_rad_s).max())


def test_reads_and_moves(arm: RemoteArm) -> None:
    assert isinstance(arm, Arm)
    assert len(arm.joint_names) == 6
    first = arm.read_state()
    assert first.joint_positions_rad == pytest.approx(HOME, abs=1e-3)
    assert 0 <= clock() - first.stamp_ns < LATE_S * 1e9
    target = HOME + 0.05 * PAN
    arm.send(command(target, opening=0.4))
    until(lambda: bool(np.allclose(arm.read_state().joint_positions_rad, target, atol=5e-4)))
    until(lambda: abs(arm.read_state().gripper_opening - 0.4) < 0.01)
    arm.read_states()
    time.sleep(0.1)
    states = arm.read_states()
    assert len(states) > 10
    for before, after in pairwise(states):
        assert after.sequence == before.sequence + 1
        assert after.stamp_ns == before.stamp_ns + 2_000_000


def test_a_velocity_runs_out(arm: RemoteArm) -> None:
    arm.send(command(0.3 * PAN, "velocity"))
    until(lambda: speed(arm) > 0.2)
    until(lambda: speed(arm) < 0.01)
    moved = arm.read_state().joint_positions_rad[0] - HOME[0]
    assert moved == pytest.approx(0.06, abs=0.02), "0.3 rad/s for 200 ms"


def test_stop_holds_near_by(arm: RemoteArm) -> None:
    arm.send(command(HOME + PAN))
    until(lambda: speed(arm) > 0.3)
    arm.stop()
    until(lambda: speed(arm) < 0.01)
    assert arm.read_state().joint_positions_rad[0] < HOME[0] + 0.95
    arm.limp()
    arm.recover()


def test_a_driver_that_vanishes_leaves_the_arm_to_its_target(world: WorldProcess, arm: RemoteArm) -> None:
    arm.send(command(HOME + 0.3 * PAN))
    until(lambda: speed(arm) > 0.1)
    arm.close()
    time.sleep(1.5)
    again = RemoteArm(world.socket)
    again.connect()
    state = again.read_state()
    again.close()
    assert state.joint_positions_rad == pytest.approx(HOME + 0.3 * PAN, abs=2e-3)


def test_a_command_from_before_the_scene_is_not_followed(world: WorldProcess, arm: RemoteArm) -> None:
    old = command(HOME + 0.2)
    refused = world.client.status().refused_commands
    world.reset(2)
    arm.send(old)
    until(lambda: world.client.status().refused_commands == refused + 1)
    time.sleep(0.1)
    assert arm.read_state().joint_positions_rad == pytest.approx(HOME, abs=1e-3)


@pytest.mark.parametrize(("offset", "opening"), [(np.nan, 1.0), (np.inf, 1.0), (0.0, np.nan)])
def test_a_command_that_is_not_finite_is_refused(arm: RemoteArm, offset: float, opening: float) -> None:
    with pytest.raises(BadInput, match="expected finite values"):
        arm.send(command(HOME + offset, opening=opening))


def test_one_driver_at_a_time(world: WorldProcess, arm: RemoteArm) -> None:
    with pytest.raises(BadInput, match="driven by another client"):
        RemoteArm(world.socket).connect()
    assert arm.read_state().joint_positions_rad == pytest.approx(HOME, abs=1e-3)


def test_the_truth_is_pushed_and_belongs_to_the_scene(world: WorldProcess) -> None:
    for seed in (3, 4):
        began_ns = world.reset(seed)
        assert 0 <= clock() - began_ns < LATE_S * 1e9
        truth = world.truth()
        assert truth["detail"]["seed"] == seed
        assert not truth["finished"]
        until(lambda: world.truth()["detail"]["simulated_s"] > 0.03)
        truth = world.truth()
        assert truth["detail"]["seed"] == seed
        assert truth["detail"].keys() == {
            "seed", "success", "simulated_s", "cube_at_start_in_base_m", "first_close_tcp_in_base_m",
        }  # fmt: skip
        assert (truth["stamp_ns"] - began_ns) * 1e-9 == pytest.approx(truth["detail"]["simulated_s"], abs=0.003)


def test_time_stands_still_until_the_scene_begins(world: WorldProcess, arm: RemoteArm) -> None:
    world.client.reset(5, hold=True)
    before = arm.read_state()
    time.sleep(0.05)
    after = arm.read_state()
    assert world.truth()["detail"]["simulated_s"] == 0.0
    assert after.stamp_ns > before.stamp_ns, "the arm is heard all the time"
    arm.send(command(HOME + 0.3))
    time.sleep(0.05)
    began_ns = world.client.begin()
    assert began_ns > after.stamp_ns
    assert arm.read_state().joint_positions_rad == pytest.approx(HOME, abs=1e-3)


def test_the_first_close_of_the_gripper_is_seen(world: WorldProcess, arm: RemoteArm) -> None:
    assert world.truth()["detail"]["first_close_tcp_in_base_m"] is None
    arm.send(command(HOME, opening=0.0))
    until(lambda: world.truth()["detail"]["first_close_tcp_in_base_m"] is not None)
    assert world.truth()["detail"]["first_close_tcp_in_base_m"] == pytest.approx([-0.6, 0.1, 0.35], abs=0.01)


def test_bad_clients_do_not_stop_the_world(world: WorldProcess, arm: RemoteArm) -> None:
    rubbish = [
        b"GET / HTTP/1.1\r\n\r\n", wire.pack({"op": "dance"}), wire.pack({}), b"\0" * 4096,
        wire.pack({"op": "hello"}) + wire.pack({"op": "reset"}) + wire.pack({"op": "reset", "seed": "x"}) + b"??",
        wire.pack({"op": "watch"}) + b"\0" * 4096,
    ]  # fmt: skip
    for data in rubbish:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(world.socket))
            client.sendall(data)
            time.sleep(0.02)
    for answers in ({"op": "dance"}, {"op": "reset"}, {"op": "reset", "seed": "x"}, {"op": "reset", "seed": None}):
        with wire.connect(world.socket, {"op": "hello"}, LATE_S)[0] as client, pytest.raises(BadInput):
            wire.request(client, answers)
    sequence = arm.read_state().sequence
    until(lambda: arm.read_state().sequence > sequence + 20)


def test_a_driver_that_sends_rubbish_is_dropped(world: WorldProcess) -> None:
    for data in (b"rubbish, and more of it", wire.pack({"op": "command"}, b"short"), wire.pack({"op": "dance"})):
        connection, _ = wire.connect(world.socket, {"op": "arm"}, LATE_S)
        with connection:
            connection.sendall(data)
            connection.settimeout(LATE_S)
            with pytest.raises(wire.WireError):
                for_ever(partial(wire.receive, connection))


def test_a_driver_that_never_reads_does_not_stop_the_world(world: WorldProcess) -> None:
    connection, _ = wire.connect(world.socket, {"op": "arm"}, LATE_S)
    with connection:
        before = world.truth()["stamp_ns"]
        until(lambda: world.truth()["stamp_ns"] > before + 1_000_000_000)
    assert world.client.status().slips == 0


def test_the_trace_tells_how_the_arm_came_to_rest(world: WorldProcess, arm: RemoteArm) -> None:
    for tick in range(30):
        arm.send(command(HOME + 0.004 * tick * PAN))
        time.sleep(0.005)
    killed_ns = clock()
    arm.close()
    time.sleep(1.2)
    observer = WorldClient(world.socket)  # anybody may ask, the pipeline may be dead
    trace = observer.trace()
    observer.close()
    rest = trace.to_rest(killed_ns)
    assert rest.start_rad_s > 0.2
    assert 0.0 < rest.after_s < 1.2
    assert 0.0 < rest.joints_rad[0] < 0.12
    assert rest.tool_m == pytest.approx(rest.joints_rad[0] * np.hypot(0.6, 0.1), rel=0.3)
    assert np.diff(trace.stamp_ns).min() > 0


def test_a_lost_world_is_a_fault_until_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "world"
    with WorldProcess(settings(path)) as first:
        arm = RemoteArm(path)
        arm.connect()
        os.kill(first.pid, signal.SIGKILL)
        with pytest.raises(ArmFault, match="is lost") as fault:
            for_ever(arm.read_state)
        assert fault.value.kind == "disconnected"
        for attempt in (lambda: arm.send(command(HOME)), arm.read_state, arm.recover):
            with pytest.raises(ArmFault, match="start it again"):
                attempt()
        arm.stop()
        arm.limp()
        with pytest.raises(Missing, match=r"is lost .*ended with status -9"):
            until(lambda: first.truth() is None)
    with WorldProcess(settings(path)):
        arm.recover()
        assert arm.read_state().joint_positions_rad == pytest.approx(HOME, abs=1e-3)
        arm.close()


def test_a_silent_world_is_a_fault_and_its_end_leaves_nothing() -> None:
    with WorldProcess(settings()) as world:
        folder = world.socket.parent
        assert folder.stat().st_mode & 0o777 == 0o700
        arm = RemoteArm(world.socket)
        arm.connect()
        os.kill(world.pid, signal.SIGSTOP)
        with pytest.raises(ArmFault, match="no state for"):
            for_ever(arm.read_state)
        os.kill(world.pid, signal.SIGCONT)
        arm.recover()
        until(lambda: arm.read_state().sequence > 0)
        until(lambda: world.client.status().slips == 1)
        assert world.client.status().slipped_ns > 0.3e9
        arm.close()
    assert not folder.exists()
    assert not Path(f"/proc/{world.pid}").exists()
    world.close()


_PARENT = """
import sys, time
from pathlib import Path
from robot.sim.settings import WorldSettings
from robot.sim.world_process import WorldProcess
world = WorldProcess(WorldSettings(Path(), time.monotonic_ns(), renderer="none", linger_s=0.3, trace=Path(sys.argv[1])))
print(world.pid, world.socket, flush=True)
time.sleep(60)
"""


def test_the_world_ends_after_its_last_client_when_its_parent_was_killed(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    trace = tmp_path / "motion.npz"
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(trace)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert parent.stdout is not None
    pid, path = parent.stdout.readline().split()
    arm = RemoteArm(path)
    arm.connect()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 0.8
    while time.monotonic() < end:  # it lives on for its client
        arm.read_state()
        time.sleep(0.02)
    arm.close()
    until(lambda: not Path(path).parent.exists())
    until(lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2])
    assert trace.exists()


def test_settings_survive_the_command_line(tmp_path: Path) -> None:
    full = WorldSettings(
        tmp_path / "world", 12, 3, "raycast", SceneParameters(cube_x_m=(0.5, 0.6), shadows=False), (0.1, -0.2, 1e-7),
        "127.0.0.9", "ur5e", "digital_output", None, tmp_path / "t.csv", owns_folder=True, linger_s=0.25,
    )  # fmt: skip
    assert parse(full.arguments(), "test") == full
    plain = WorldSettings(tmp_path / "world", 12)
    assert parse(plain.arguments(), "test") == plain


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (["--renderer", "povray"], "povray"),
        (["--priority", "100"], "expected 1 to 99"),
        (["--scene", '{"cubes": 3}'], "unknown fields cubes"),
        (["--scene", "{"], "invalid"),
        (["--cube-render-offset-m", "1,2"], "invalid"),
    ],
)
def test_a_wrong_command_line_ends_with_a_sentence(
    capsys: pytest.CaptureFixture[str], extra: list[str], sentence: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--socket", "world", *extra], "test")
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_world_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="choose a folder that exists"):
        WorldProcess(settings(tmp_path / "absent" / "world"))
