"""The scripted expert: finds the object, picks it and places it in the bin, from observations alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from geometry.pose import Pose
from geometry.types import Array
from policy.action_chunk import ACTION_SIZE, ActionChunk, ActionSpace
from policy.expert_parameters import ExpertParameters
from policy.expert_sighting import Eye, Sighting
from policy.motion import Phase, Step, Timeline, minimum_jerk
from policy.observation import Observation

CHUNK_SIZE: Final = 16
DT_NS: Final = 100_000_000

_GRASPED: Final = (Phase.LIFT, Phase.CARRY)
_LOOKING: Final = (Phase.SEARCH, Phase.DONE)


class ScriptedExpert:
    """A phase machine whose plan is a timeline of end-effector motion.

    Each observation may change the plan. It is changed from where the previous plan had the tool, not from where the
    tool was measured, which lags: a chunk starts at the position and with the velocity that were planned for its stamp.
    For `commit_s` more it repeats the previous plan, which the arm carries out until the new chunk arrives.

    An object that moves is met: from the approach to the lift the tool moves in the object's frame, and the carrying
    brakes what is left of that. One that is not met within the workspace is left alone.
    """

    chunk_size: int = CHUNK_SIZE
    dt_ns: int = DT_NS
    space: ActionSpace = "ee_pose"

    def __init__(self, parameters: ExpertParameters | None = None) -> None:
        """Start an episode.

        Args:
            parameters: The cell; the reference cell if not given.
        """
        self._p = parameters or ExpertParameters()
        self._down = Pose(self._p.tool_rotation, np.zeros(3))
        self._down_rotvec = self._down.rotvec
        self._commit_ns = round(self._p.commit_s * 1e9)
        self._eye = Eye(self._p)
        self.reset()

    def reset(self) -> None:
        """Forget the episode."""
        self._plan: Timeline | None = None
        self._phase = Phase.SEARCH
        self._turn_from, self._turn_start_ns, self._turn_s = self._down, 0, 0.0
        self._eye.reset()
        self._seen: Sighting | None = None
        self._sightings = 0
        self._target: Sighting | None = None
        self._attempts = 0

    @property
    def phase(self) -> Phase:
        """What the plan was doing at the stamp of the newest observation."""
        return self._phase

    @property
    def parameters(self) -> ExpertParameters:
        """What it knows about the cell."""
        return self._p

    def phase_at(self, t_ns: int) -> Phase:
        """What its newest plan does at a time [ns]."""
        return Phase.SEARCH if self._plan is None else self._plan.at(t_ns).step.phase

    @property
    def attempts(self) -> int:
        """How often the gripper has closed on nothing."""
        return self._attempts

    def plan(self, observation: Observation) -> ActionChunk:
        """Plan from an observation: 16 actions of 100 ms, `ee_pose`, starting at its stamp."""
        now_ns = observation.stamp_ns
        plan = self._keep_up(observation)
        self._look(observation)
        self._plan = self._decide(plan, observation)
        self._phase = self._plan.at(now_ns).step.phase
        return ActionChunk(now_ns, DT_NS, "ee_pose", self._actions(self._plan, now_ns))

    def _keep_up(self, observation: Observation) -> Timeline:
        """The previous plan, or a new one from the measured tool if there is none or the arm has left it."""
        now_ns, pose = observation.stamp_ns, observation.base_T_tcp
        if self._plan is not None:
            away = math.dist(self._plan.at(now_ns).position, pose.translation)
            if away <= self._p.resync_m:
                return self._plan
            steps: Sequence[Step] = self._plan.steps_from(now_ns)
        else:
            steps = self._search()
        # the arm rests until the chunk arrives: the motion must not have started without it
        start_ns = now_ns + self._commit_ns
        self._turn_from, self._turn_start_ns = Pose(pose.rotation, np.zeros(3)), start_ns
        self._turn_s = 1.875 * self._turn_from.distance_to(self._down)[1] / self._p.turn_rad_s
        return Timeline.start(pose.translation, start_ns, steps, self._p.acceleration_m_s2)

    def _look(self, observation: Observation) -> None:
        """Count consecutive fresh sightings of one object."""
        fresh = observation.sees_object and observation.object_visible_age_s <= self._p.sight_age_s
        if not fresh or not self._p.believes(observation.object_position_m):
            self._sightings = 0
            return
        seen, known = self._eye.see(observation), self._seen
        # by what is known of its velocity now, was it where it was seen before?
        same = known is not None and math.dist(seen.at(known.stamp_ns), known.position) <= self._p.same_place_m
        self._sightings = self._sightings + 1 if same else 1
        self._seen = seen

    def _decide(self, plan: Timeline, observation: Observation) -> Timeline:
        p, now_ns = self._p, observation.stamp_ns
        branch_ns = now_ns + self._commit_ns
        point = plan.at(branch_ns)
        phase = point.step.phase
        if phase in _LOOKING:
            if self._seen is not None and self._sightings >= p.confirmations:
                picking = self._branch(plan, branch_ns, now_ns, self._pick(self._seen))
                if self._meets(picking):
                    return picking
            if phase is Phase.SEARCH and plan.end_ns <= branch_ns:
                return self._branch(plan, branch_ns, now_ns, self._search())
        elif phase in (Phase.APPROACH, Phase.DESCEND):
            if self._seen is not None and self._moved():
                steps = self._pick(self._seen)
                # above the object already: correcting on the way down ends, correcting up there may go on for ever
                arrived = (
                    phase is Phase.DESCEND or math.dist(point.position, steps[0].goal_at(branch_ns)) <= p.arrived_m
                )
                if not arrived or point.position[2] - self._seen.position[2] >= p.refine_height_m:
                    picking = self._branch(plan, branch_ns, now_ns, steps[1:] if arrived else steps)
                    return picking if self._meets(picking) else self._branch(plan, branch_ns, now_ns, self._search())
        elif (
            phase in _GRASPED
            and plan.at(now_ns).step.phase in _GRASPED
            and observation.gripper_opening < p.holding_opening
        ):
            self._attempts += 1
            self._sightings = 0
            return self._branch(plan, branch_ns, now_ns, self._recover(point.position))
        return plan

    def _branch(self, plan: Timeline, branch_ns: int, now_ns: int, steps: Sequence[Step]) -> Timeline:
        return plan.branch(branch_ns, steps, self._p.acceleration_m_s2, drop_before_ns=now_ns)

    def _moved(self) -> bool:
        """Whether a fresh sighting differs from what the plan reaches for, now or by the time of the grasp."""
        seen, target = self._seen, self._target
        if self._sightings == 0 or seen is None or target is None:
            return False
        times = (seen.stamp_ns, seen.stamp_ns + round(self._p.foresee_s * 1e9))
        return any(math.dist(seen.at(t_ns), target.at(t_ns)) > self._p.retarget_m for t_ns in times)

    def _meets(self, plan: Timeline) -> bool:
        """Whether a plan grasps an object that moves within the workspace."""
        target = self._target
        return target is None or not target.moves or self._p.believes(target.at(plan.end_of(Phase.CLOSE)))

    def _search(self) -> list[Step]:
        p = self._p
        return [Step(Phase.SEARCH, place, p.speed_m_s, 1.0, p.search_wait_s) for place in p.search_m]

    def _recover(self, position: Array) -> list[Step]:
        """Open, go up where it is, and look again from there first."""
        p = self._p
        x, y = float(position[0]), float(position[1])
        up = (x, y, p.search_m[0][2])
        return [Step(Phase.SEARCH, up, p.speed_m_s, 1.0, p.search_wait_s), *self._search()]

    def _pick(self, seen: Sighting) -> list[Step]:
        """All steps from above the object to home; up to the lift they move with it."""
        p = self._p
        self._target = seen
        x, y, z = (float(value) for value in seen.position)
        vx, vy, vz = (float(value) for value in seen.velocity)
        along = ((vx, vy, vz), seen.stamp_ns)
        above = (x, y, z + p.approach_height_m)
        grasp = (x, y, max(z + p.grasp_offset_m, p.grasp_floor_m))
        over, release = (*p.bin_m, p.carry_height_m), (*p.bin_m, p.release_height_m)
        return [
            Step(Phase.APPROACH, above, p.speed_m_s, 1.0, p.settle_s, *along),
            Step(Phase.DESCEND, grasp, p.contact_speed_m_s, 1.0, p.settle_s, *along),
            Step(Phase.CLOSE, grasp, p.contact_speed_m_s, 0.0, p.close_s, *along),
            Step(Phase.LIFT, (x, y, p.carry_height_m), p.speed_m_s, 0.0, 0.0, *along),
            Step(Phase.CARRY, over, p.speed_m_s, 0.0, 0.0),
            Step(Phase.LOWER, release, p.speed_m_s, 0.0, p.settle_s),
            Step(Phase.OPEN, release, p.speed_m_s, 1.0, p.open_s),
            Step(Phase.RETREAT, over, p.speed_m_s, 1.0, 0.0),
            Step(Phase.DONE, p.home_m, p.speed_m_s, 1.0, 0.0),
        ]

    def _actions(self, plan: Timeline, now_ns: int) -> Array:
        actions = np.empty((CHUNK_SIZE, ACTION_SIZE))
        for k in range(CHUNK_SIZE):
            t_ns = now_ns + k * DT_NS
            point = plan.at(t_ns)
            actions[k, :3] = point.position
            actions[k, 3:6] = self._rotvec(t_ns)
            actions[k, 6] = point.step.gripper
        return actions

    def _rotvec(self, t_ns: int) -> Array:
        """Rotation of the tool: one minimum-jerk turn from where it was found to straight down."""
        passed = max(0, t_ns - self._turn_start_ns) * 1e-9
        if passed >= self._turn_s:
            return self._down_rotvec
        u = passed / self._turn_s
        return self._turn_from.interpolate(self._down, minimum_jerk(u)).rotvec
