"""What a policy's file says about itself: what it reads and writes, by name and unit; and whether a robot suits it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, get_args

from deploy.errors import BadInput
from policy.action_chunk import RELATIVE, ActionSpace
from policy.features import GRIPPER, action_names, prefix_names, unit_of

METADATA_KEY: Final = "eyehand.policy"
KINDS: Final = ("act", "diffusion")


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
            content = json.loads(text)
            vectors = tuple(VectorSpec(**_tuples(part)) for part in content.pop("vectors"))
            images = tuple(ImageSpec(**part) for part in content.pop("images", ()))
            spec = PolicySpec(vectors=vectors, images=images, **_tuples(content))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadInput(f"{where}: its {METADATA_KEY} cannot be read ({error}): export it again") from error
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
        for vector in self.vectors:
            _units(where, vector.name, vector.names, vector.units)
        expected = prefix_names(self.action_space, self.prefix)
        found = tuple(name for vector in self.vectors for name in vector.names if name.startswith("prefix."))
        _same(where, "prefix", found, expected)
        if self.prefix and self.action_space in RELATIVE:
            raise BadInput(f"{where}: a frozen prefix needs absolute actions, its action space is {self.action_space}")

    def check_robot(
        self, where: str, joint_names: Sequence[str], lower_rad: Sequence[float], upper_rad: Sequence[float]
    ) -> None:
        """Refuse a robot that the policy was not taught on.

        Args:
            where: Name of the model, for messages.
            joint_names: The robot's, in the order of its joint angles.
            lower_rad: Least angle of each joint [rad].
            upper_rad: Largest angle of each joint [rad].

        Raises:
            BadInput: If joints have other names or another number, or it was taught angles that they cannot have.
        """
        read = [name[: -len(".pos")] for vector in self.vectors for name in vector.names if name.endswith("joint.pos")]
        joints = [name for name in read if not name.startswith("prefix.")]
        if self.action_space != "ee_pose":
            joints = [name.rpartition(".")[0] for name in self.action_names if name != GRIPPER]
        if joints and list(joint_names) != joints:
            raise BadInput(
                f"{where}: taught on {len(joints)} joints ({', '.join(joints)}), the robot has {len(joint_names)} "
                f"({', '.join(joint_names)}): use a policy that was trained for this arm"
            )
        if self.action_space != "joint_position":
            return
        taught = zip(joint_names, self.action_min, self.action_max, lower_rad, upper_rad, strict=False)
        for name, least, most, lower, upper in taught:
            if least < lower or most > upper:
                raise BadInput(
                    f"{where}: {name} was taught from {least:.3f} to {most:.3f} rad, the robot's goes from {lower:.3f} "
                    f"to {upper:.3f}: are its angles in degrees, or of another arm?"
                )


def _tuples(content: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in content.items()}


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
