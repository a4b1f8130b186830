"""The thread that talks to a LeRobot robot: one reading and at most one action a cycle, at the pace of its bus.

LeRobot's calls wait for the bus, for milliseconds, and with cameras for longer: nobody else waits for them here.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from deploy.pacer import Pacer
from geometry.types import Array
from robot.arm import ArmFault, FaultKind, RobotState
from robot.lerobot.goal import Goal
from robot.lerobot.joints import JointMap

# velocities are differences over this time: one step of a usual encoder (4096 a turn) is then 0.015 rad/s
_DIFFERENCE_NS: Final = 100_000_000
_WAITING: Final = 512
_JOIN_S: Final = 2.0


class BusCycle:
    """Reads and commands a robot in a thread of its own.

    A reading or an action that fails is repeated in the next cycle: buses lose packets. When none succeeded for
    `silence_s`, or the bus hangs for so long, that is a fault; the thread ends, and the motors hold their last goal.

    Args:
        robot: A `lerobot.robots.Robot`, connected.
        joints: Its motors as joints, found among its features.
        goal: What the motors are to do.
        where: The robot in words, for faults.
        clock: Run clock [ns].
        rate_hz: Cycles a second [Hz].
        silence_s: Time without a reading or an action that succeeds which is a fault [s].
    """

    def __init__(
        self,
        robot: Any,
        joints: JointMap,
        goal: Goal,
        where: str,
        clock: Callable[[], int],
        rate_hz: float,
        silence_s: float,
    ) -> None:
        self._robot, self._joints, self._goal, self._where, self._clock = robot, joints, goal, where, clock
        self._period_ns, self._silence_ns = round(1e9 / rate_hz), round(silence_s * 1e9)
        self._end = threading.Event()
        self._rest: dict[str, float] | None = None
        self._past: deque[tuple[int, Array]] = deque()
        self._states: deque[RobotState] = deque(maxlen=_WAITING)
        self._newest: RobotState | None = None
        self._fault: ArmFault | None = None
        self._wants_limp = self._is_limp = False
        self._well_ns = clock()
        self._thread = threading.Thread(target=self._run, name="lerobot-bus", daemon=True)
        self._thread.start()

    # -- any thread ---------------------------------------------------------------------------------------------------

    @property
    def gives_way(self) -> bool:
        """Whether the joints can be moved by hand, or soon can."""
        return self._wants_limp

    @property
    def newest(self) -> RobotState | None:
        """The newest state; None before the first."""
        return self._newest

    def drain(self) -> list[RobotState]:
        """The states since the last call, oldest first."""
        states = []
        while self._states:
            states.append(self._states.popleft())
        return states

    def check(self) -> None:
        """See that all is well.

        Raises:
            ArmFault: If not, from then on at every call.
        """
        silent_ns = self._clock() - self._well_ns
        if self._fault is None and silent_ns > self._silence_ns + self._period_ns:
            self._fail("disconnected", f"its bus has been silent for {silent_ns * 1e-9:.1f} s")
        if self._fault is not None:
            raise ArmFault(self._fault.kind, str(self._fault))

    def give_way(self) -> None:
        """Switch the torque off, where the robot can; otherwise hold."""
        self._wants_limp = hasattr(getattr(self._robot, "bus", None), "disable_torque")
        self._goal.hold()

    def stiffen(self) -> None:
        """Hold the place where the joints are now, with torque."""
        self._goal.hold(anew=True)
        self._wants_limp = False

    def end(self) -> None:
        """End the thread after one more cycle, in which a last stop or limp arrives; one that hangs is left behind."""
        self._end.set()
        self._thread.join(_JOIN_S)

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pacer, sequence, last = Pacer(self._clock, self._period_ns), 0, False
        while not last and self._fault is None:
            last = self._end.is_set()
            try:
                state = self._read(sequence)
                sequence += 1
                self._write(state)
                self._well_ns = self._clock()
            except Exception as error:  # whatever a robot's class raises is a fault of that robot
                if self._clock() - self._well_ns > self._silence_ns:
                    kind: FaultKind = "disconnected" if isinstance(error, OSError) else "driver"
                    self._fail(kind, f"{type(error).__name__}: {error}")
            if not last:
                pacer.wait()

    def _fail(self, kind: FaultKind, why: str) -> None:
        self._fault = ArmFault(kind, f"{self._where}: {why}; see to its power and cables, then reset the arm")

    def _read(self, sequence: int) -> RobotState:
        began_ns = self._clock()
        observation = self._robot.get_observation()
        stamp_ns = (began_ns + self._clock()) // 2
        joints = self._joints.positions(observation)
        opening = self._joints.opening(observation)
        if opening is None:
            opening = self._goal.opening or 0.0
        if not (np.isfinite(joints).all() and np.isfinite(opening)):
            raise ValueError(f"joints read as {joints.tolist()} rad, gripper {opening}")
        if self._rest is None:
            self._rest = self._others(observation)
        state = RobotState(sequence, stamp_ns, joints, self._velocity(stamp_ns, joints), opening)
        self._states.append(state)
        self._newest = state
        return state

    def _write(self, state: RobotState) -> None:
        if self._wants_limp:
            if not self._is_limp:
                self._robot.bus.disable_torque()
                self._is_limp = True
            return
        goal = self._goal.step(state.joint_positions_rad, state.gripper_opening, self._clock())
        if goal is None:
            return
        self._robot.send_action({**(self._rest or {}), **self._joints.action(*goal)})
        if self._is_limp:  # only now that its goal is where it stands
            self._robot.bus.enable_torque()
            self._is_limp = False

    def _others(self, observation: Mapping[str, Any]) -> dict[str, float]:
        """Features of the action that belong to no joint: motors stay where they are now, what is no place is 0."""
        others = [key for key in self._robot.action_features if key not in self._joints.keys]
        return {
            key: float(observation[key]) if key.endswith(".pos") else 0.0
            for key in others
            if not key.endswith(".pos") or key in observation
        }

    def _velocity(self, stamp_ns: int, joints: Array) -> Array:
        past = self._past
        past.append((stamp_ns, joints))
        while len(past) > 2 and stamp_ns - past[1][0] >= _DIFFERENCE_NS:
            past.popleft()
        then_ns, then = past[0]
        return (joints - then) / ((stamp_ns - then_ns) * 1e-9) if stamp_ns > then_ns else np.zeros_like(joints)
