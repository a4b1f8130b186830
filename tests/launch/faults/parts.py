"""Parts that can break, quick enough for a run in a second: policy, detector, camera, arm; and what a run left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from geometry import Pose
from geometry.camera import Camera
from geometry.types import Array
from launch.config import Config
from launch.control_path import Command
from launch.graph import Graph, LocateStage, Mount, PlanStage
from launch.ledger import Outcome, Reason, Rows, Rung, Stage
from launch.wiring import arm_model, build_control
from perception.detections import Detections
from perception.frame import Frame
from perception.localize import LocalizeParameters
from policy import ActionChunk, Observation
from policy.action_chunk import ActionSpace
from robot.arm import Arm, ArmFault, JointCommand, RobotState
from robot.kinematics import UR10E_HOME_RAD
from robot.sim import CAMERA
from tracking import BaseFrameTracker

MS = 1_000_000
SECOND = 1_000_000_000
PERIOD_NS = 10 * MS
HORIZON_NS = 1_300 * MS
MARGIN_NS = 300 * MS
AT_REST_RAD_S = 0.05
MOVING_RAD_S = 0.1
GREY = np.full((CAMERA.height, CAMERA.width, 3), 90, dtype=np.uint8)


def nothing(_number: int) -> None:
    """No fault."""


class Swing:
    """A policy that always moves: two joints of the wrist go round in a circle, so that one of them never rests."""

    chunk_size = 16
    dt_ns = 100 * MS
    space: ActionSpace = "joint_position"

    def __init__(self) -> None:
        self.plans = self.resets = 0
        self.fault: Callable[[int], None] = nothing

    def reset(self) -> None:
        self.resets += 1

    def plan(self, observation: Observation) -> ActionChunk:
        self.plans += 1
        self.fault(self.plans)
        phase = 2e-9 * (observation.stamp_ns + self.dt_ns * np.arange(self.chunk_size))
        actions = np.tile((*UR10E_HOME_RAD, 1.0), (self.chunk_size, 1))
        actions[:, 3] += 0.15 * np.sin(phase)
        actions[:, 4] += 0.15 * np.cos(phase)
        return ActionChunk(observation.stamp_ns, self.dt_ns, self.space, actions)


class Blind:
    """A detector that finds nothing, at once."""

    class_names = ("red_cube",)

    def __init__(self) -> None:
        self.looks = 0
        self.fault: Callable[[int], None] = nothing

    def detect(self, frame: Frame) -> Detections:
        self.looks += 1
        self.fault(self.looks)
        none = np.empty(0, np.float32)
        return Detections(
            frame.camera_name, frame.sequence, frame.stamp_ns, none.reshape(0, 4), none, none.astype(np.int32),
            self.class_names,
        )  # fmt: skip


class BreakingControl:
    """The control path of a graph, which raises when something is so."""

    def __init__(self, graph: Graph, when: Callable[[], bool]) -> None:
        self._control, self._when = graph.control, when
        graph._control = self  # type: ignore[assignment]

    def reset(self) -> None:
        self._control.reset()

    def __call__(self, *arguments: Any) -> Command:
        if self._when():
            raise ArithmeticError("the control path is broken")
        return self._control(*arguments)


def grey_frame(stamp_ns: int, sequence: int) -> Frame:
    return Frame("wrist", sequence, stamp_ns, stamp_ns, GREY, None, 0.0, CAMERA)


class GreyCamera:
    """A camera on the wall clock that shows nothing, and can stall."""

    def __init__(self, clock: Callable[[], int], period_ns: int) -> None:
        self.name = "wrist"
        self._clock, self._period_ns = clock, period_ns
        self._sequence = -1
        self.stalls: tuple[int, int] = (-1, -1)

    @property
    def camera(self) -> Camera:
        return CAMERA

    def read(self) -> Frame:
        self._sequence = max(self._sequence + 1, self._clock() // self._period_ns)
        due_ns = self._sequence * self._period_ns
        if self.stalls[0] <= due_ns < self.stalls[1]:
            due_ns = self.stalls[1]
            self._sequence = due_ns // self._period_ns + 1
        time.sleep(max(0.0, (due_ns - self._clock()) * 1e-9))
        return grey_frame(self._clock(), self._sequence)

    def close(self) -> None:
        """Nothing to release."""


class BreakingArm:
    """An arm whose feedback can freeze and whose calls can hang.

    Attributes:
        told: What it was told, `send` or `stop`, and when [ns].
        speeds: Times [ns], and how fast its fastest joint really was [rad/s], also where its feedback is frozen.
        gaps: Times [ns], and how far the joint that was furthest from its command then was from it [rad].
        frozen: Whether it goes on telling its last state.
        fault: What it is in: it is at rest, and can neither be read nor commanded.
        stays: Whether the fault outlasts a recovery.
        recoveries: How many times it was made ready again.
        before_read: Called with the time [ns] when its state is read.
        before_send: The same before it is sent a command.
    """

    def __init__(self, arm: Arm, clock: Callable[[], int]) -> None:
        self._arm, self._clock = arm, clock
        self.name, self.joint_names = arm.name, arm.joint_names
        self.told: list[tuple[int, str]] = []
        self.speeds: list[tuple[int, float]] = []
        self.gaps: list[tuple[int, float]] = []
        self.frozen = self.stays = False
        self.fault: ArmFault | None = None
        self.recoveries = 0
        self.before_read: Callable[[int], None] = nothing
        self.before_send: Callable[[int], None] = nothing
        self._last: RobotState | None = None
        self._joints: Array = np.zeros(6)

    @property
    def moves(self) -> bool:
        """Whether it moved when it was last asked for its state."""
        return bool(self.speeds) and self.speeds[-1][1] > MOVING_RAD_S

    def connect(self) -> None:
        self._arm.connect()

    def limp(self) -> None:
        self.stop()

    def recover(self) -> None:
        self.recoveries += 1
        if self.fault is not None and self.stays:
            raise self.fault
        self.fault = None

    def fail(self, fault: ArmFault) -> None:
        """A fault: arms stop by themselves."""
        self._arm.stop()
        self.fault = fault

    def close(self) -> None:
        self._arm.close()

    def read_state(self) -> RobotState:
        self.before_read(self._clock())
        if self.fault is not None:
            raise self.fault
        state = self._arm.read_state()  # also when nobody hears of it: the world moves on
        self._joints = state.joint_positions_rad
        self.speeds.append((self._clock(), float(np.abs(state.joint_velocities_rad_s).max())))
        if not self.frozen or self._last is None:
            self._last = state
        return self._last

    def send(self, command: JointCommand) -> None:
        self.before_send(self._clock())
        if self.fault is not None:
            raise self.fault
        self._arm.send(command)
        self.told.append((self._clock(), "send"))
        self.gaps.append((self._clock(), float(np.abs(command.joints - self._joints).max())))

    def stop(self) -> None:
        self._arm.stop()
        self.told.append((self._clock(), "stop"))


def quick_graph(config: Config, policy: Swing, detector: Blind, fallback: Blind | None = None) -> Graph:
    """The stages of a run with the real control path, tracker and localization around parts that take no time."""
    assert config.rig.arm is not None
    arm = arm_model(config.rig.arm)
    locate = LocateStage({"wrist": Mount(gripper_T_camera=Pose.identity())}, arm, LocalizeParameters())
    plan, control = PlanStage(policy, arm, "red_cube"), build_control(config, arm)
    fingerprints = ("quick",) if fallback is None else ("quick", "smaller")
    return Graph(["wrist"], detector, locate, BaseFrameTracker(), plan, control, fingerprints, fallback)


@dataclass(frozen=True)
class Decision:
    """A row of the ladder: what and why, at what time, with what was found and the limit."""

    now_ns: int
    rung: Rung
    reason: Reason
    stage: Stage | None
    value_ns: int
    limit_ns: int
    photon_ns: int
    engine: int


@dataclass(frozen=True)
class Run:
    """What a run left behind.

    Attributes:
        rows: Its ledger.
        speeds: Shape (N, 2): time [ns], speed of the fastest joint [rad/s].
        told: What the arm was told, `send` or `stop`, and when [ns].
        error: What it ended with.
        notes: Remarks for the person who ran it.
        said: What the operator was told.
    """

    rows: Rows
    speeds: Array
    told: list[tuple[int, str]]
    error: BaseException | None = None
    notes: dict[str, int] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def of(self, stage: Stage) -> Rows:
        """Rows of a stage that did not fail."""
        return self.rows[(self.rows["stage"] == stage) & (self.rows["outcome"] != Outcome.ERROR)]

    @property
    def decisions(self) -> list[Decision]:
        """All decisions of the ladder, in order."""
        found = self.rows[self.rows["stage"] == Stage.LADDER]
        return [
            Decision(
                int(row["now_ns"]), Rung(int(row["rung"])), Reason(int(row["decision"])),
                Stage(int(row["other"])) if row["other"] >= 0 else None, int(row["measured_ns"]),
                int(row["modelled_ns"]), int(row["photon_ns"]), int(row["engine"]),
            )
            for row in found
        ]  # fmt: skip

    def decided(self, rung: Rung, reason: Reason, stage: Stage | None = None) -> Decision:
        """The first such decision."""
        return next(d for d in self.decisions if (d.rung, d.reason) == (rung, reason) and stage in (None, d.stage))

    def rungs(self, least: Rung = Rung.CONTINUE) -> list[tuple[Rung, Reason]]:
        """Decisions of a rung and above, and the ways back from there."""
        back = (Reason.KEPT_AGAIN, Reason.OPERATOR_RESET, Reason.NEW_CELL)
        return [(d.rung, d.reason) for d in self.decisions if d.rung >= least or d.reason in back]

    def followed(self, from_ns: int = 0, to_ns: int = 1 << 62) -> list[int]:
        """The chunk behind each command that was sent in a span of time and follows one."""
        ticks, sent = self.of(Stage.IK), self.of(Stage.SEND)
        sent = sent[(sent["now_ns"] >= from_ns) & (sent["now_ns"] < to_ns)]
        ticks = ticks[np.isin(ticks["sequence"], sent["input"]) & (ticks["rung"] < Rung.HOLD) & (ticks["input"] >= 0)]
        return ticks["input"].tolist()

    def fastest(self, from_ns: int, to_ns: int = 1 << 62) -> float:
        """Speed of the fastest joint in a span of time [rad/s]."""
        t_ns = self.speeds[:, 0]
        return float(self.speeds[(t_ns >= from_ns) & (t_ns < to_ns), 1].max())

    def rests(self, from_ns: int, to_ns: int = 1 << 62) -> bool:
        """Whether all joints rest during a span of time."""
        return self.fastest(from_ns, to_ns) < AT_REST_RAD_S

    def braked_ns(self, decision: Decision) -> int:
        """When the arm must be at rest after a decision: 60 ticks later, for a tick that is late brakes no more."""
        ticks = self.of(Stage.IK)["now_ns"]
        later = ticks[ticks > decision.now_ns]
        return int(later[60]) if len(later) > 60 else 1 << 62

    def rested(self, decision: Decision, until_ns: int = 1 << 62) -> bool:
        """Whether the arm came to rest after a decision and stayed there; true where the time was too short to see."""
        from_ns = self.braked_ns(decision)
        return from_ns >= until_ns or self.rests(from_ns, until_ns)

    def moves(self, from_ns: int, to_ns: int = 1 << 62) -> bool:
        """Whether some joint moves at each instant of a span of time."""
        t_ns = self.speeds[:, 0]
        return bool(self.speeds[(t_ns >= from_ns) & (t_ns < to_ns), 1].min() > MOVING_RAD_S)
