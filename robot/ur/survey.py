"""What a controller publishes about pose, tool and payload, read without taking command of the arm."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from deploy.errors import Missing
from robot.kinematics.dh import Six
from robot.ur.link import Link
from robot.ur.protocol import Value
from robot.ur.status import Reading, output_names

_FIELDS: Final = ("actual_q", "actual_TCP_pose", "tcp_offset", "payload", "payload_cog")
_READING: Final = output_names(0)
_RATE_HZ: Final = 50.0


@dataclass(frozen=True, slots=True)
class Posture:
    """One packet: joints and tool at the same instant, as the controller has them.

    Attributes:
        joint_positions_rad: Base to wrist [rad].
        base_T_tcp: Pose of the tool point: x, y, z [m] and a rotation vector [rad].
        flange_T_tcp: The tool point that the controller's installation or program has set, in the same form.
        payload_kg: Mass that the controller carries in its model [kg].
        payload_centre_m: Centre of that mass in the flange [m].
        reading: What the driver would see.
    """

    joint_positions_rad: Six
    base_T_tcp: Six
    flange_T_tcp: Six
    payload_kg: float
    payload_centre_m: tuple[float, float, float]
    reading: Reading


def read_postures(host: str, seconds: float, timeout_s: float) -> list[Posture]:
    """Listen to a controller for a while. It works in local control too; nothing is written.

    Args:
        host: Address of the controller.
        seconds: How long [s].
        timeout_s: How long the connection and each answer may take [s].

    Raises:
        Missing: If it does not answer, refuses a field, or sends nothing, naming address and remedy.
    """
    postures: list[Posture] = []
    lost: list[str] = []

    def take(values: Mapping[str, Value], _arrival_ns: int) -> None:
        postures.append(
            Posture(
                joint_positions_rad=cast("Six", values["actual_q"]),
                base_T_tcp=cast("Six", values["actual_TCP_pose"]),
                flange_T_tcp=cast("Six", values["tcp_offset"]),
                payload_kg=cast("float", values["payload"]),
                payload_centre_m=cast("tuple[float, float, float]", values["payload_cog"]),
                reading=Reading.of(values, 0),
            )
        )

    link = Link(
        host,
        outputs=tuple(dict.fromkeys((*_FIELDS, *_READING))),
        inputs={},
        rate_hz=_RATE_HZ,
        clock=time.monotonic_ns,
        on_values=take,
        on_idle=lambda _: None,
        on_lost=lost.append,
    )
    link.open(timeout_s)
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not lost:
            time.sleep(0.01)
    finally:
        link.close()
    if not postures:
        raise Missing(f"UR controller at {host} sends no states{f' ({lost[0]})' if lost else ''}")
    return postures
