"""What a policy's file says about itself: what it reads and writes, by name and unit; and whether a robot suits it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from deploy.errors import BadInput
from policy.action_chunk import RELATIVE, ActionSpace
from policy.features import GRIPPER, action_names, prefix_names, unit_of

METADATA_KEY: Final = "eyehand.policy"
KINDS: Final = ("act", "diffusion")
_SLACK: Final = 1.05  # of a joint's speed: what is demonstrated is rounded and filtered
_GRIPPER_SLACK: Final = 0.05
_FARTHEST_M: Final = 3.0  # no arm of these reaches farther; a place in millimetres does
_exactly = with_config(ConfigDict(strict=True, extra="forbid"))


@_exactly
@dataclass(frozen=True, slots=True)
class VectorSpec:
    """One vector that the policy reads.

    Attributes:
        name: Of the tensor, as LeRobot calls it: `observation.state`, `observation.environment_state`.
        names: Of its numbers, in their order (`policy.features`).
        units: Of its numbers.
    """

    name: str
    names: tuple[str, ...]
    units: tuple[str, ...]


@_exactly
@dataclass(frozen=True, slots=True)
class ImageSpec:
    """One picture that the policy reads: RGB from 0 to 1, shape (1, 3, height, width).

    Attributes:
        name: Of the tensor: `observation.images.<camera>`.
        camera: Name of the camera in the rig.
        height: [px].
        width: [px].
    """

    name: str
    camera: str
    height: int
    width: int


@_exactly
@dataclass(frozen=True, slots=True)
class PolicySpec:
    """What a learned policy reads and writes.

    Attributes:
        kind: `act` or `diffusion`.
        chunk_size: Actions in a chunk.
        dt_ns: Time between actions [ns].
        action_space: What the actions mean.
        action_names: Names of an action's numbers, in their order.
        action_units: Their units.
        action_min: Least of each in the demonstrations.
        action_max: Largest of each in the demonstrations.
        vectors: What it reads.
        images: The pictures that it reads.
        prefix: Most actions that may be frozen at the start of a chunk; 0 if it was not trained for that.
        dataset: Fingerprint of the demonstrations.
        robot: Model of the arm that it was taught on; empty if that is unknown, like the two below.
        object_class: What it was taught to pick.
        bin_in_base_m: Where it was taught to place it: x, y, z in the robot's base [m].
    """

    kind: str
    chunk_size: int
    dt_ns: int
    action_space: ActionSpace
    action_names: tuple[str, ...]
    action_units: tuple[str, ...]
    action_min: tuple[float, ...]
    action_max: tuple[float, ...]
    vectors: tuple[VectorSpec, ...]
    images: tuple[ImageSpec, ...] = ()
    prefix: int = 0
    dataset: str = ""
    robot: str = ""
    object_class: str = ""
    bin_in_base_m: tuple[float, ...] = ()

    def to_json(self) -> str:
        """As the model file holds it."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str, where: str) -> PolicySpec:
        """Read it.

        Args:
            text: What `to_json` gave.
            where: Name of the file, for messages.

        Raises:
            BadInput: If it is no description of a policy, or one that contradicts itself.
        """
        try:
            spec = TypeAdapter(PolicySpec).validate_json(text)
        except ValidationError as error:
            found = error.errors()[0]
            what = ".".join(map(str, found["loc"])) or "content"
            raise BadInput(
                f"{where}: its {METADATA_KEY} cannot be read ({what}: {found['msg'].lower()}): export it again"
            ) from error
        spec.check(where)
        return spec

    def check(self, where: str) -> None:
        """Refuse a description that we cannot act on: its words must be ours, in our order and units.

        Raises:
            BadInput: Naming what differs.
        """
        if self.kind not in KINDS:
            raise BadInput(f"{where}: kind is {self.kind!r}, expected {' or '.join(KINDS)}")
        if self.action_space not in get_args(ActionSpace):
            raise BadInput(
                f"{where}: action space is {self.action_space!r}, expected {', '.join(get_args(ActionSpace))}"
            )
        if self.chunk_size < 2 or self.dt_ns <= 0:
            raise BadInput(
                f"{where}: chunk of {self.chunk_size} actions at {self.dt_ns} ns, expected at least 2 at a time above 0"
            )
        _same(where, "action", self.action_names, action_names(self.action_space))
        _units(where, "action", self.action_names, self.action_units)
        if not len(self.action_min) == len(self.action_max) == len(self.action_names):
            raise BadInput(f"{where}: limits of {len(self.action_min)} and {len(self.action_max)} numbers, expected 7")
        if not all(map(math.isfinite, (*self.action_min, *self.action_max, *self.bin_in_base_m))):
            raise BadInput(f"{where}: a limit of its actions, or the place of its bin, is not finite: export it again")
        if len(self.bin_in_base_m) not in (0, 3):
            raise BadInput(f"{where}: bin_in_base_m has {len(self.bin_in_base_m)} numbers, expected x, y, z")
        if not 0 <= self.prefix < self.chunk_size:
            raise BadInput(
                f"{where}: a prefix of {self.prefix} actions, expected fewer than the {self.chunk_size} of a chunk"
            )
        for vector in self.vectors:
            _units(where, vector.name, vector.names, vector.units)
        expected = prefix_names(self.action_space, self.prefix)
        found = tuple(name for vector in self.vectors for name in vector.names if name.startswith("prefix."))
        _same(where, "prefix", found, expected)
        if self.prefix and self.action_space in RELATIVE:
            raise BadInput(f"{where}: a frozen prefix needs absolute actions, its action space is {self.action_space}")

    def check_robot(
        self,
        where: str,
        joint_names: Sequence[str],
        lower_rad: Sequence[float],
        upper_rad: Sequence[float],
        *,
        robot: str = "",
        speeds_rad_s: Sequence[float] = (),
    ) -> None:
        """Refuse a robot that the policy was not taught on.

        Args:
            where: Name of the model, for messages.
            joint_names: The robot's, in the order of its joint angles.
            lower_rad: Least angle of each joint [rad].
            upper_rad: Largest angle of each joint [rad].
            robot: Model of the arm; empty if that is unknown.
            speeds_rad_s: Largest speed of each joint [rad/s]; empty if they are unknown.

        Raises:
            BadInput: If it is another arm, joints have other names or another number, or it was taught what they
                cannot do: angles, speeds, places or openings.
        """
        if self.robot and robot and self.robot != robot:
            raise BadInput(
                f"{where}: taught on a {self.robot}, the robot is a {robot}: use a policy that was trained for this arm"
            )
        read = [name[: -len(".pos")] for vector in self.vectors for name in vector.names if name.endswith("joint.pos")]
        joints = [name for name in read if not name.startswith("prefix.")]
        if self.action_space != "ee_pose":
            joints = [name.rpartition(".")[0] for name in self.action_names if name != GRIPPER]
        if joints and list(joint_names) != joints:
            raise BadInput(
                f"{where}: taught on {len(joints)} joints ({', '.join(joints)}), the robot has {len(joint_names)} "
                f"({', '.join(joint_names)}): use a policy that was trained for this arm"
            )
        if self.action_space == "joint_position":
            self._within(where, "rad", lower_rad, upper_rad, "are its angles in degrees, or of another arm?")
        elif self.action_space == "ee_pose":
            self._within(where, "m", [-_FARTHEST_M] * 3, [_FARTHEST_M] * 3, "are its places in millimetres?")
        else:
            delta = self.action_space == "joint_delta"
            most = [speed * _SLACK * (self.dt_ns * 1e-9 if delta else 1.0) for speed in speeds_rad_s]
            unit = "rad" if delta else "rad/s"
            self._within(where, unit, [-each for each in most], most, "are its angles in degrees, or of another arm?")
        least, largest = self.action_min[-1], self.action_max[-1]
        if least < -_GRIPPER_SLACK or largest > 1 + _GRIPPER_SLACK:
            raise BadInput(
                f"{where}: {GRIPPER} was taught from {least:.3f} to {largest:.3f}, expected an opening from 0 (closed) "
                "to 1 (open): convert the dataset"
            )

    def _within(self, where: str, unit: str, lower: Sequence[float], upper: Sequence[float], why: str) -> None:
        """Refuse limits of the first actions, by their order, beyond those of the robot."""
        taught = zip(self.action_names, self.action_min, self.action_max, lower, upper, strict=False)
        for name, least, most, low, high in taught:
            if least < low or most > high:
                raise BadInput(
                    f"{where}: {name} was taught from {least:.3f} to {most:.3f} {unit}, the robot's goes from "
                    f"{low:.3f} to {high:.3f}: {why}"
                )


def _same(where: str, what: str, found: Sequence[str], expected: Sequence[str]) -> None:
    if tuple(found) == tuple(expected):
        return
    if len(found) != len(expected):
        raise BadInput(f"{where}: {what} has {len(found)} numbers, expected {len(expected)} ({', '.join(expected)})")
    i = next(i for i, (a, b) in enumerate(zip(found, expected, strict=True)) if a != b)
    raise BadInput(f"{where}: number {i} of {what} is {found[i]}, expected {expected[i]}: wrong order or another robot")


def _units(where: str, what: str, names: Sequence[str], units: Sequence[str]) -> None:
    if len(names) != len(units):
        raise BadInput(f"{where}: {what} has {len(names)} names and {len(units)} units: export it again")
    for name, unit in zip(names, units, strict=True):
        expected = unit_of(name)
        if expected is None:
            raise BadInput(f"{where}: {what} reads {name!r}, which is unknown here: train on features that there are")
        if unit != expected:
            raise BadInput(f"{where}: {name} of {what} is in {unit!r}, expected {expected!r}: convert the dataset")
