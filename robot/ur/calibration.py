"""How far the kinematics inside a controller, which are calibrated for its own arm, are from the nominal ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Final, cast

from deploy.errors import Missing
from geometry.pose import Pose
from robot.kinematics import DhModel, forward
from robot.kinematics.dh import Six
from robot.ur.link import Link
from robot.ur.protocol import Value
from robot.ur.script import Command
from robot.ur.session import Session
from robot.ur.settings import SessionSettings

# Spread over the space that a table in front of the arm takes, with the wrist this way and that.
POSTURES: Final[tuple[Six, ...]] = (
    (0.0, -1.57, 1.57, -1.57, -1.57, 0.0),
    (0.8, -1.2, 1.9, -2.2, -1.57, 0.5),
    (-0.8, -1.9, 2.2, -1.8, -1.2, 2.0),
    (1.6, -0.7, 1.2, -1.0, 1.3, -1.0),
    (-1.6, -2.3, 1.4, -0.6, -1.9, -2.5),
    (3.0, -1.0, 0.6, -1.2, -0.9, 1.5),
    (0.3, -1.6, 0.3, -1.5, -1.57, 0.0),
    (-2.4, -1.3, 2.4, -2.6, -2.2, 3.0),
)
_NO_TOOL: Final = (0.0,) * 6
_OUTPUTS: Final = 6
_RATE_HZ: Final = 50.0
_ANSWER_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class CalibrationMismatch:
    """Flange poses of the controller against nominal ones at the same joint angles.

    Attributes:
        postures: How many were compared.
        worst_m: Largest distance [m]. An arm from the factory differs by up to a few millimetres.
        worst_rad: Largest angle [rad].
    """

    postures: int
    worst_m: float
    worst_rad: float


def measure_mismatch(
    session: Session, host: str, settings: SessionSettings, model: DhModel, clock: Callable[[], int]
) -> CalibrationMismatch:
    """Have the control script compute flange poses, and compare them with ours.

    Args:
        session: With its control script running.
        host: Address of the controller.
        settings: How it is talked to.
        model: The nominal figures.
        clock: Run clock [ns].

    Raises:
        Missing: If the controller does not answer.
    """
    first = settings.registers_from
    names = tuple(f"output_double_register_{first + i}" for i in range(_OUTPUTS))
    answers: list[tuple[int, Mapping[str, Value]]] = []
    link = Link(
        host,
        outputs=names,
        inputs={},
        rate_hz=_RATE_HZ,
        clock=clock,
        on_values=lambda values, arrival_ns: answers.append((arrival_ns, values)),
        on_idle=lambda _: None,
        on_lost=lambda _: None,
    )
    worst_m = worst_rad = 0.0
    with closing(link):
        link.open(settings.timeout_s)
        for posture in POSTURES:
            if not session.ask(Command.FORWARD_KINEMATICS, *posture, *_NO_TOOL):
                raise Missing(f"{model.name} at {host}: the control script computes no poses")
            values = _after(answers, clock() + round(1e9 / _RATE_HZ))
            if values is None:
                raise Missing(f"{model.name} at {host}: the poses that it computed do not come")
            numbers = [cast("float", values[name]) for name in names]
            metres, radians = Pose.from_rotvec(numbers[3:], numbers[:3]).distance_to(forward(posture, model))
            worst_m, worst_rad = max(worst_m, metres), max(worst_rad, radians)
    return CalibrationMismatch(len(POSTURES), worst_m, worst_rad)


def _after(answers: list[tuple[int, Mapping[str, Value]]], time_ns: int) -> Mapping[str, Value] | None:
    """The first answer that came after a time, waited for."""
    deadline = time.monotonic() + _ANSWER_S
    while time.monotonic() < deadline:
        if answers and answers[-1][0] > time_ns:
            values = answers[-1][1]
            answers.clear()
            return values
        time.sleep(0.002)
    return None
