"""Moves an arm slowly, the way a run would: trajectory, governor, arm host, driver."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from deploy.pacer import Pacer
from geometry.types import Array
from launch.bringup.session import ArmSession
from launch.config import Config
from launch.wiring import governor_limits
from robot.arm import JOINTS, ArmFault, JointCommand, RobotState
from robot.governor import GovernorLimits, SafetyGovernor
from robot.host import HostedArm, HostSettings
from robot.kinematics import Kinematics
from robot.kinematics.dh import Six
from robot.trajectory import JointTrajectory
from robot.verdict import Intervention

# slower than this is rest [rad/s]
REST_RAD_S: Final = 0.01
# an arm that does not rest then does not obey [s]
LONGEST_STOP_S: Final = 1.0
# of the governor's limits, as in a run
_SHARE: Final = 0.8
# the trajectory closes on its target exponentially: so near it is there [rad, rad/s]
_THERE_RAD: Final = 2e-4
_THERE_RAD_S: Final = 2e-3


@dataclass(frozen=True, slots=True)
class Pace:
    """How slowly.

    Attributes:
        speed_rad_s: Most for any joint [rad/s].
        acceleration_rad_s2: How quickly it gets there [rad/s^2].
        jerk_rad_s3: And how smoothly [rad/s^3].
        tool_speed_m_s: Limit of the tool point; the most that ISO 10218 has beside a person [m/s].
        following_rad: A joint that is further than this from where it was sent stops the motion [rad].
    """

    speed_rad_s: float = 0.05
    acceleration_rad_s2: float = 0.25
    jerk_rad_s3: float = 2.5
    tool_speed_m_s: float = 0.25
    following_rad: float = math.radians(2.0)

    def slow(self, limits: GovernorLimits, times: float = 1.0) -> GovernorLimits:
        """The governor's limits, with joints no faster than some times this."""
        joints = replace(
            limits.joints,
            velocity_rad_s=_at_most(limits.joints.velocity_rad_s, times * self.speed_rad_s),
            acceleration_rad_s2=_at_most(limits.joints.acceleration_rad_s2, times * self.acceleration_rad_s2),
            jerk_rad_s3=_at_most(limits.joints.jerk_rad_s3, times * self.jerk_rad_s3),
        )
        return replace(
            limits,
            joints=joints,
            tool_speed_m_s=min(self.tool_speed_m_s, limits.tool_speed_m_s),
            following_rad=min(self.following_rad, limits.following_rad),
        )


class Refused(Exception):
    """The governor let a motion not go on; the arm has come to rest.

    Attributes:
        why: What it saw.
    """

    def __init__(self, why: Intervention) -> None:
        super().__init__(why.describe())
        self.why = why


@dataclass(slots=True)
class Track:
    """One motion, as it was sent and as it was seen.

    Attributes:
        sent: When [ns, run clock] and what, shape (6,) [rad].
        seen: States, in order, none twice.
    """

    sent: list[tuple[int, Array]] = field(default_factory=list)
    seen: list[RobotState] = field(default_factory=list)

    def behind_rad(self) -> float:
        """The furthest that a joint was from where it had been sent at that time [rad].

        Raises:
            robot.arm.ArmFault: If no state came.
        """
        sent_ns, sent = [ns for ns, _ in self.sent], np.array([joints for _, joints in self.sent])
        states = [state for state in self.seen if sent_ns and state.stamp_ns >= sent_ns[0]]
        if not states:
            raise ArmFault("driver", "no state came while the arm moved")
        stamps = [state.stamp_ns for state in states]
        wanted = np.array([np.interp(stamps, sent_ns, column) for column in sent.T]).T
        return float(np.abs(np.array([state.joint_positions_rad for state in states]) - wanted).max())


class Mover:
    """An arm behind an arm host of its own, which brings it to rest and holds it, whatever ends this process.

    All but `close` and `cancel` belong to one thread, the control loop's.

    Args:
        session: The arm.
        changes: Options of the driver in place of the configuration's.
        config: For the governor's limits and the control loop.
        kinematics: The arm's.
        pace: How slowly.

    Attributes:
        host: The arm host.
        state: The newest state.
        track: The newest motion. What takes time to make of it must wait until the arm rests.
    """

    def __init__(
        self, session: ArmSession, changes: Mapping[str, Any], config: Config, kinematics: Kinematics, pace: Pace
    ) -> None:
        limits = governor_limits(config)
        slow = pace.slow(limits)
        self._clock, self._period_ns = session.clock, round(1e9 / config.control.rate_hz)
        self._dt = self._period_ns * 1e-9
        self.host = HostedArm(
            HostSettings(
                session.driver,
                {**session.options, **changes},
                limits=pace.slow(limits, 2.0).joints,  # what the host clamps is a mistake
                heartbeat_ns=round(session.arm.heartbeat_ms * 1e6),
                rate_hz=max(session.arm.rate_hz, config.control.rate_hz),
                command_period_ns=self._period_ns,
                epoch_ns=session.clock.epoch_ns,
                priority=config.realtime.priority,
                lock_memory=config.realtime.lock_memory,
            )
        )
        self._trajectory = JointTrajectory(slow.joints.scaled(_SHARE))
        self._governor = SafetyGovernor(slow, kinematics, self._dt)
        self._cancelled = False
        self.state: RobotState
        self.track = Track()

    def begin(self) -> Array:
        """Start from where the arm is, at rest; its joints, shape (6,) [rad]."""
        self.state = self.host.read_states()[-1]
        joints = np.array(self.state.joint_positions_rad)
        self._trajectory.reset(joints)
        self._governor.reset(joints, self.state.gripper_opening)
        return joints

    def go(self, target: Array, settle_s: float = 0.0, *, until: float | None = None) -> None:
        """Move towards joints [rad], and stay there for a while [s].

        Args:
            target: Shape (6,).
            settle_s: How long it must have rested there; it is not waited for much longer [s].
            until: Return in mid-motion, once the last joint is past this [rad].

        Raises:
            Refused: If the governor stopped it.
            robot.arm.ArmFault: If the arm cannot be commanded, or `cancel` was called.
        """
        self.track = Track()
        pacer = Pacer(self._clock, self._period_ns)
        settled_s = waited_s = 0.0
        while settled_s <= settle_s and waited_s < settle_s + LONGEST_STOP_S:
            self._listen()
            if until is not None and self.state.joint_positions_rad[-1] > until:
                return
            joints, speeds, _ = self._trajectory.step(target, np.zeros(JOINTS), self._dt)
            self._send(joints)
            if np.abs(joints - target).max() < _THERE_RAD and np.abs(speeds).max() < _THERE_RAD_S:
                waited_s += self._dt
                rests = np.abs(self.state.joint_velocities_rad_s).max() < REST_RAD_S
                settled_s = settled_s + self._dt if rests else 0.0
            pacer.wait()
        self._listen()

    def rest(self) -> float:
        """Tell the arm to stop, and wait for it; how long it took, at most `LONGEST_STOP_S` [s]."""
        start = time.monotonic()
        self.host.stop()
        took_s = 0.0
        while took_s < LONGEST_STOP_S:
            time.sleep(0.002)
            self._listen()
            took_s = time.monotonic() - start
            if took_s > 2.0 * self._dt and np.abs(self.state.joint_velocities_rad_s).max() < REST_RAD_S:
                break
        return took_s

    def cancel(self) -> None:
        """Have the control thread give up at its next tick."""
        self._cancelled = True

    def close(self) -> None:
        """Bring the arm to rest, where it is held, and let go of it."""
        self.cancel()
        self.host.close()

    def _listen(self) -> None:
        if self._cancelled:
            raise ArmFault("driver", "interrupted: the arm was told to come to rest")
        states = self.host.read_states()
        seen = self.track.seen
        seen += [state for state in states if not seen or state.sequence > seen[-1].sequence]
        self.state = states[-1]

    def _send(self, joints: Array) -> None:
        now_ns = self._clock()
        command = JointCommand(now_ns, "position", joints, self.state.gripper_opening)
        verdict = self._governor.check(command, self.state, now_ns, now_ns)
        if verdict.stopped:
            self.rest()
            raise Refused(verdict.interventions[0])
        if (verdict.command.joints != joints).any():
            self._trajectory.reset(*self._governor.start_over())
        self.host.send(verdict.command)
        self.track.sent.append((now_ns, np.array(verdict.command.joints)))


def _at_most(values: Six, most: float) -> Six:
    a, b, c, d, e, f = (min(value, most) for value in values)
    return a, b, c, d, e, f
