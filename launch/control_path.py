"""One control tick: the time-matched action, inverse kinematics, jerk-limited trajectory, safety governor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry import Pose
from geometry.types import Array
from launch.ledger import Outcome, Rung
from policy import ActionChunk, Seam
from robot.arm import JointCommand, RobotState
from robot.governor import SafetyGovernor
from robot.kinematics import Kinematics, Unreachable
from robot.pose_targets import PoseTargets
from robot.trajectory import JointTrajectory
from robot.verdict import INTERVENTION_KINDS, Verdict

UNREACHABLE_BIT = 1 << 31
# after these the governor holds until it is reset
LATCHING_BITS = sum(1 << INTERVENTION_KINDS.index(kind) for kind in ("non_finite", "jump", "following"))


@dataclass(frozen=True, slots=True)
class Command:
    """What goes to the arm, and what was changed on the way.

    Attributes:
        setpoint: The governed command.
        interventions: Bit `k`: the governor's kind `INTERVENTION_KINDS[k]` acted; bit 31: the pose was out of reach.
        outcome: OK, HELD (nothing to execute), CLIPPED or STOPPED.
        note: One line for a person, empty when nothing is worth saying.
        kind: What the note is about, the same for notes that differ in their figures only.
    """

    setpoint: JointCommand
    interventions: int
    outcome: Outcome
    note: str = ""
    kind: str = ""


class ControlPath:
    """From the present chunk to a governed joint command, each control period.

    Args:
        kinematics: Forward and inverse kinematics of the arm with its gripper.
        trajectory: Jerk-limited follower.
        governor: The last thing before the arm.
        period_ns: Control period [ns].
        seam: How the chunks follow one another.
    """

    def __init__(
        self,
        kinematics: Kinematics,
        trajectory: JointTrajectory,
        governor: SafetyGovernor,
        period_ns: int,
        seam: Seam,
    ) -> None:
        self._kinematics = kinematics
        self._trajectory = trajectory
        self._governor = governor
        self._period_ns = period_ns
        self._joints: Array | None = None
        self._gripper = 1.0
        self._poses = PoseTargets(kinematics, trajectory.limits, period_ns * 1e-9)
        self._seam = seam
        self._followed: ActionChunk | None = None
        self._sampled: tuple[int, Array, Array] | None = None

    def reset(self) -> None:
        """Begin anew from the joints that the next state shows."""
        self._joints = None
        self._begin_anew()
        self._gripper = 1.0

    def _begin_anew(self) -> None:
        """Forget the path of the tool: the arm is not on it, or will not be."""
        self._sampled = self._followed = None
        self._seam.reset()
        self._poses.reset()

    def __call__(
        self, now_ns: int, chunk: ActionChunk | None, state: RobotState, photon_ns: int, rung: Rung = Rung.DROP
    ) -> Command:
        """Make the command of this tick.

        Args:
            now_ns: Time of the tick [ns].
            chunk: What to follow. Without one, past its end, or where the ladder says so, the arm slows down and holds.
            state: The arm's newest state.
            photon_ns: Capture stamp of the photons behind the chunk [ns].
            rung: The ladder's decision.
        """
        if self._joints is None:
            self._joints = np.array(state.joint_positions_rad)
            self._gripper = state.gripper_opening
            self._trajectory.reset(self._joints)
            self._governor.reset(self._joints, self._gripper)
        dt_s = self._period_ns * 1e-9
        note, kind, bits = "", "", 0
        target = None
        if chunk is not None and now_ns <= chunk.end_ns and rung < Rung.HOLD:
            try:
                target = self._targets(chunk, now_ns)
            except Unreachable as error:
                note, kind, bits = str(error), "unreachable", UNREACHABLE_BIT
        if target is None:
            self._begin_anew()
            joints, _, _ = self._trajectory.step_hold(dt_s)
            outcome = Outcome.STOPPED if rung is Rung.STOP else Outcome.HELD
        else:
            here, ahead, self._gripper = target
            joints, _, _ = self._trajectory.step(ahead, (ahead - here) / dt_s, dt_s)
            self._joints = here
            outcome = Outcome.OK
        wanted = JointCommand(now_ns, "position", joints, self._gripper)
        return self._govern(
            wanted,
            state,
            now_ns,
            photon_ns if chunk is not None else now_ns,
            Command(wanted, bits, outcome, note, kind),
        )

    def _govern(
        self, wanted: JointCommand, state: RobotState, now_ns: int, photon_ns: int, command: Command
    ) -> Command:
        """What the governor leaves of a command."""
        verdict: Verdict = self._governor.check(wanted, state, now_ns, photon_ns)
        bits, outcome, note, kind = command.interventions, command.outcome, command.note, command.kind
        for intervention in verdict.interventions:
            bits |= 1 << INTERVENTION_KINDS.index(intervention.kind)
        if verdict.stopped or (verdict.command.joints != wanted.joints).any():
            # what comes next goes on from what was sent, not from what was asked for
            self._trajectory.reset(*self._governor.start_over())
        if verdict.stopped:
            self._begin_anew()
            outcome = Outcome.STOPPED
        elif verdict.interventions and outcome is Outcome.OK:
            outcome = Outcome.CLIPPED
        if verdict.interventions and not note:
            first = verdict.interventions[0]
            note, kind = first.describe(), f"{first.kind} {first.joint}"
        return Command(verdict.command, bits, outcome, note, kind)

    def _targets(self, chunk: ActionChunk, now_ns: int) -> tuple[Array, Array, float]:
        """Joints at this tick and at the next, and the gripper's opening."""
        assert self._joints is not None
        ahead_ns = now_ns + self._period_ns
        if chunk is not self._followed:
            self._seam.take(chunk, now_ns)
            self._followed = chunk
        action, coming = self._seam.action(now_ns), self._seam.action(ahead_ns)
        cached = self._sampled
        known = cached[1] if cached is not None and cached[0] == now_ns and (action == cached[2]).all() else None
        if chunk.space == "ee_pose":
            here, ahead = self._poses.targets(_pose(action), _pose(coming), self._joints, known)
        else:
            here, ahead = action[:6], coming[:6]
        self._sampled = (ahead_ns, ahead, coming)
        return here, ahead, float(coming[6])


def _pose(action: Array) -> Pose:
    """base_T_tcp of an action."""
    return Pose.from_rotvec(action[3:6], action[:3])
