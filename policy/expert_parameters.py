"""Everything that the scripted expert knows about the cell."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from deploy.errors import BadInput
from geometry.pose import Pose
from geometry.types import Array

Point3 = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ExpertParameters:
    """Places, heights, speeds and times of the pick-and-place; all positions are of the tool point in the base.

    Attributes:
        home_m: Where it waits before and after [m].
        yaw_rad: Direction of the tool's x axis (along which the fingers open) about the base's z, tool pointing down.
        search_m: Where it looks for the object, in this order [m].
        workspace_lower_m: Lowest x, y, z at which an object is believed [m].
        workspace_upper_m: Highest x, y, z at which an object is believed [m].
        bin_m: Centre of the bin, x and y [m].
        bin_half_m: Half of the bin's edge; an object within it is already placed [m].
        approach_height_m: Height above the object from which the tool goes straight down [m].
        refine_height_m: Height above the object down to which a fresh sighting still corrects the descent [m].
        grasp_offset_m: Height of the tool above the object's centre when it grasps [m].
        grasp_floor_m: The tool never grasps below this height [m]: the finger tips must not touch the table.
        carry_height_m: Height at which the object is carried [m].
        release_height_m: Height at which it is let go over the bin [m].
        speed_m_s: Highest speed [m/s].
        contact_speed_m_s: Highest speed near contact [m/s].
        acceleration_m_s2: Highest acceleration [m/s^2].
        turn_rad_s: Highest speed at which the tool is turned to point down [rad/s].
        search_wait_s: Time at each search pose [s].
        settle_s: Time at rest before contact and before release [s].
        close_s: Time given to the gripper to close [s].
        open_s: Time given to the gripper to open [s].
        holding_opening: A closed gripper that is open by more than this holds something.
        sight_age_s: A sighting older than this is not fresh [s].
        confirmations: Consecutive fresh sightings of one place before it is believed.
        same_place_m: Sightings nearer than this are of one place [m].
        arrived_m: The tool is above the object when it is nearer than this to the place it approaches [m].
        retarget_m: A change of the object's place smaller than this is ignored [m]; of one that moves, of its place now
            and `foresee_s` from now.
        moving_m_s: A horizontal velocity below this is none [m/s].
        moving_sigma: A velocity nearer to rest than this is none [standard deviations].
        foresee_s: About the time from the last correction of the descent until the fingers have closed [s].
        commit_s: The previous plan is kept for this long, since it is carried out while the new one is made [s].
        resync_m: A tool further than this from the plan makes the plan start over from the tool [m].

    Raises:
        deploy.errors.BadInput: If a speed, a time or the workspace cannot be used, naming it.
    """

    home_m: Point3 = (-0.60, 0.10, 0.35)
    yaw_rad: float = -math.pi / 2
    search_m: tuple[Point3, ...] = ((-0.62, 0.10, 0.38), (-0.62, -0.05, 0.38), (-0.62, 0.25, 0.38), (-0.50, 0.10, 0.42))
    workspace_lower_m: Point3 = (-0.90, -0.20, -0.02)
    workspace_upper_m: Point3 = (-0.42, 0.40, 0.10)
    bin_m: tuple[float, float] = (-0.65, -0.45)
    bin_half_m: float = 0.12
    approach_height_m: float = 0.13
    refine_height_m: float = 0.06
    grasp_offset_m: float = 0.0
    grasp_floor_m: float = 0.018
    carry_height_m: float = 0.22
    release_height_m: float = 0.13
    speed_m_s: float = 0.35
    contact_speed_m_s: float = 0.15
    acceleration_m_s2: float = 1.2
    turn_rad_s: float = 0.8
    search_wait_s: float = 0.6
    settle_s: float = 0.15
    close_s: float = 0.5
    open_s: float = 0.4
    holding_opening: float = 0.2
    sight_age_s: float = 0.35
    confirmations: int = 2
    same_place_m: float = 0.03
    arrived_m: float = 0.015
    retarget_m: float = 0.002
    moving_m_s: float = 0.01
    moving_sigma: float = 3.0
    foresee_s: float = 1.0
    commit_s: float = 0.15
    resync_m: float = 0.12

    def __post_init__(self) -> None:
        positive = (
            "speed_m_s",
            "contact_speed_m_s",
            "acceleration_m_s2",
            "turn_rad_s",
            "approach_height_m",
            "resync_m",
        )
        for name in positive:
            if not getattr(self, name) > 0.0:
                raise BadInput(f"expert {name} is {getattr(self, name)}: expected > 0")
        for name in (
            "search_wait_s", "settle_s", "close_s", "open_s", "commit_s", "sight_age_s", "retarget_m", "moving_m_s",
            "moving_sigma", "foresee_s",
        ):  # fmt: skip
            if not 0.0 <= getattr(self, name) < math.inf:
                raise BadInput(f"expert {name} is {getattr(self, name)}: expected >= 0")
        if self.confirmations < 1:
            raise BadInput(f"expert confirmations is {self.confirmations}: expected >= 1")
        if not self.search_m:
            raise BadInput("expert search_m is empty: give at least one place to look from")
        for axis, low, high in zip("xyz", self.workspace_lower_m, self.workspace_upper_m, strict=True):
            if not low < high:
                raise BadInput(f"expert workspace {axis} from {low} to {high} m is empty: expected lower < upper")

    @property
    def tool_rotation(self) -> Array:
        """Shape (3, 3): the tool pointing straight down, x axis along `yaw_rad`."""
        c, s = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        return np.array(((c, s, 0.0), (s, -c, 0.0), (0.0, 0.0, -1.0)))

    @property
    def home(self) -> Pose:
        """base_T_tcp of the home pose."""
        return Pose(self.tool_rotation, np.array(self.home_m))

    def believes(self, position_m: Array) -> bool:
        """Whether an object at a place, shape (3,) [m], is one to pick: in the workspace and not in the bin."""
        x, y, z = position_m
        inside = zip(self.workspace_lower_m, (x, y, z), self.workspace_upper_m, strict=True)
        placed = max(abs(x - self.bin_m[0]), abs(y - self.bin_m[1])) < self.bin_half_m
        return all(low <= value <= high for low, value, high in inside) and not placed
