"""The loops on threads, on the live simulated cell: what happens when one of them fails."""

from __future__ import annotations

import time

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="the simulator's extra is not installed: pip install '.[sim]'")
pytest.importorskip("onnxruntime", reason="no inference engine is installed: pip install '.[cpu]'")

from geometry.camera import Camera
from launch.config import load_config
from launch.executor import Executor, as_measured
from launch.ladder import Ladder
from launch.ledger import Outcome, Rows, Stage
from launch.schedulers.wall import RunClock, WallScheduler
from launch.wiring import build_graph, resolve
from perception.frame import Frame
from perception.source import Source, SourceStalled
from policy import ChunkSchedule
from robot.arm import JointCommand
from tests.launch.live_cell import LiveCell

PERIOD_NS = 10_000_000


class StoppingCamera:
    """A camera that delivers some frames and then nothing, as one whose cable was pulled."""

    def __init__(self, source: Source, frames: int) -> None:
        self._source, self._left = source, frames
        self.name = source.name

    @property
    def camera(self) -> Camera:
        return self._source.camera

    def read(self) -> Frame | None:
        if not self._left:
            time.sleep(0.2)
            raise SourceStalled(self.name, 0.2)
        self._left -= 1
        return self._source.read()

    def close(self) -> None:
        self._source.close()


def start(frames: int | None) -> tuple[LiveCell, Executor, WallScheduler, list[Rows]]:
    config = resolve(load_config("sim_pick_place", ["rig.cameras.0.rate_hz=5"]))
    clock = RunClock()
    cell = LiveCell(config, clock)
    blocks: list[Rows] = []
    executor = Executor(build_graph(config), as_measured)
    ladder = Ladder(config.budget, executor.ledger, period_ns=PERIOD_NS)
    sources = cell.sources if frames is None else [StoppingCamera(cell.sources[0], frames)]
    scheduler = WallScheduler(
        executor, ladder, clock, sources, cell.live_arm, PERIOD_NS, ChunkSchedule(1_300_000_000),
        lambda rows, _: blocks.append(rows), simulated=True,
    )  # fmt: skip
    cell.reset(3, clock())
    return cell, executor, scheduler, blocks


def never() -> bool:
    return False


def watched(cell: LiveCell) -> list[str]:
    """What the arm is told from now on, in order."""
    told: list[str] = []
    arm = cell.live_arm
    send, stop = arm.send, arm.stop

    def note_send(command: JointCommand) -> None:
        told.append("send")
        send(command)

    def note_stop() -> None:
        told.append("stop")
        stop()

    arm.send, arm.stop = note_send, note_stop  # type: ignore[method-assign]
    return told


def test_a_camera_that_stops_ends_the_run_and_the_arm_holds() -> None:
    cell, executor, scheduler, blocks = start(frames=8)
    told = watched(cell)
    with pytest.raises(SourceStalled, match=r"camera wrist sent no frame for 0\.2 s"):
        scheduler.run_episode(0, 20_000_000_000, never, never)
    for _ in range(50):  # the world goes on; nobody sends commands any more
        cell.world.advance(cell.world.time_ns + PERIOD_NS)
    speed = np.abs(cell.world.joint_velocities_rad_s).max()
    cell.close()
    assert speed < 0.02
    assert told.count("send") > 10
    assert told[-1] == "stop"
    rows = np.concatenate([*blocks, executor.ledger.take()])
    assert rows["order"].tolist() == list(range(len(rows)))
    assert np.count_nonzero(rows["stage"] == Stage.CAPTURE) == 8


def test_a_stage_that_fails_ends_the_run_and_is_in_the_ledger() -> None:
    cell, executor, scheduler, blocks = start(frames=None)

    def broken(_frame: Frame, _engine: int) -> None:
        raise ArithmeticError("the detector is broken")

    told = watched(cell)
    executor.graph.detect = broken  # type: ignore[assignment,method-assign]
    with pytest.raises(ArithmeticError, match="broken"):
        scheduler.run_episode(0, 20_000_000_000, never, never)
    cell.close()
    rows = np.concatenate([*blocks, executor.ledger.take()])
    failed = rows[rows["stage"] == Stage.DETECT]
    assert failed["outcome"].tolist() == [Outcome.ERROR] * 3  # as often as the budget allows
    assert told[-1] == "stop"


def test_every_command_has_a_state_and_photons_that_are_older() -> None:
    cell, executor, scheduler, blocks = start(frames=None)
    scheduler.run_episode(0, 60_000_000_000, lambda: executor.commands.count > 50 and executor.chunks.count > 2, never)
    cell.close()
    rows = np.concatenate([*blocks, executor.ledger.take()])
    ticks = rows[rows["stage"] == Stage.IK]
    assert len(ticks) > 50
    assert (ticks["other"] >= 0).all()
    planned = ticks[ticks["input"] >= 0]
    assert len(planned) > 10
    assert (planned["now_ns"] > planned["photon_ns"]).all()
