"""The primary interface of a controller, port 30001: whose kinematic figures it computes with.

After a connection is made the controller sends messages, each a big-endian header (size of the whole message as int32,
type as uint8) and, in a robot state, packages with a header of the same form. One package, once per connection, holds
the kinematics: nominal figures and the factory's corrections, added up.

Source: Universal Robots, "Client Interfaces" (primary interface), sub-package 5; UR's own ROS driver reads the same.
"""

from __future__ import annotations

import math
import struct
import time
from dataclasses import dataclass
from typing import Final

from deploy.errors import Missing
from robot.kinematics import Calibration, DhModel
from robot.kinematics.dh import Six
from robot.ur.link import connect

PRIMARY_PORT: Final = 30001
ROBOT_STATE: Final = 16
KINEMATICS: Final = 5
HEADER: Final = struct.Struct(">iB")
# checksums of the joints, then theta, a, d, alpha of each, then how the controller came by them
FIGURES: Final = struct.Struct(">6I24dI")
_LARGEST: Final = 1 << 20
# no arm has a figure beyond this: next to parallel axes offsets may be many metres, with opposite signs
_IMPLAUSIBLE: Final = 1e4


class NotKinematics(ValueError):
    """Bytes that are not what the interface sends."""


@dataclass(frozen=True, slots=True)
class KinematicFigures:
    """Denavit-Hartenberg figures as a controller uses them, corrections included.

    Attributes:
        theta_rad: Added to the joint angles [rad].
        a_m: Link lengths [m].
        d_m: Link offsets [m].
        alpha_rad: Link twists [rad].
        checksums: Of each joint's correction; another arm has others.
    """

    theta_rad: Six
    a_m: Six
    d_m: Six
    alpha_rad: Six
    checksums: tuple[int, ...]

    def calibration(self, model: DhModel) -> Calibration:
        """Corrections to a model's nominal figures."""
        return Calibration.of_figures(model, self.theta_rad, self.a_m, self.d_m, self.alpha_rad)


def read_kinematics(host: str, timeout_s: float) -> KinematicFigures:
    """Connect and wait for the controller's kinematic figures. Nothing is sent.

    Args:
        host: Address of the controller.
        timeout_s: How long the connection, and then the figures, may take [s].

    Raises:
        Missing: If they do not come, naming address and remedy.
    """
    where = f"primary interface of the UR controller at {host}:{PRIMARY_PORT}"
    connection = connect(host, PRIMARY_PORT, timeout_s)
    reader = MessageReader()
    end = time.monotonic() + timeout_s
    try:
        with connection:
            while (left_s := end - time.monotonic()) > 0.0:
                connection.settimeout(left_s)
                data = connection.recv(1 << 16)
                if not data:
                    break
                found = reader.feed(data)
                if found is not None:
                    return found
    except TimeoutError:
        pass
    except (OSError, NotKinematics) as error:
        raise Missing(f"{where}: {error}; see that it is a UR controller") from error
    raise Missing(f"{where} sends no kinematics within {timeout_s:g} s")


class MessageReader:
    """Cuts a stream of bytes into messages, however it was split on the way, and looks for the kinematics."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> KinematicFigures | None:
        """Take what was read; the figures, once they have come.

        Raises:
            NotKinematics: At a size that no message can have, or figures that no arm can have.
        """
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            size, kind = HEADER.unpack_from(self._buffer)
            if not HEADER.size <= size <= _LARGEST:
                raise NotKinematics(f"message says its size is {size} bytes")
            if len(self._buffer) < size:
                return None
            body = bytes(self._buffer[HEADER.size : size])
            del self._buffer[:size]
            found = _in_state(body) if kind == ROBOT_STATE else None
            if found is not None:
                return found
        return None


def _in_state(body: bytes) -> KinematicFigures | None:
    at = 0
    while at + HEADER.size <= len(body):
        size, kind = HEADER.unpack_from(body, at)
        if size < HEADER.size or at + size > len(body):
            raise NotKinematics(f"package of {size} bytes in a state of {len(body)}")
        if kind == KINEMATICS:
            return unpack_figures(body[at + HEADER.size : at + size])
        at += size
    return None


def unpack_figures(payload: bytes) -> KinematicFigures:
    """The figures out of their package.

    Raises:
        NotKinematics: If it has another size, or figures that no arm can have.
    """
    if len(payload) < FIGURES.size:
        raise NotKinematics(f"kinematics of {len(payload)} bytes: expected {FIGURES.size}")
    values = FIGURES.unpack_from(payload)
    checksums, figures = values[:6], values[6:30]
    if not all(math.isfinite(value) and abs(value) < _IMPLAUSIBLE for value in figures):
        raise NotKinematics("kinematics with figures that no arm can have")
    return KinematicFigures(figures[:6], figures[6:12], figures[12:18], figures[18:], checksums)


def pack_kinematics(figures: KinematicFigures) -> bytes:
    """A whole message that holds the figures, as a controller sends it."""
    payload = FIGURES.pack(*figures.checksums, *figures.theta_rad, *figures.a_m, *figures.d_m, *figures.alpha_rad, 0)
    package = HEADER.pack(HEADER.size + len(payload), KINEMATICS) + payload
    return HEADER.pack(HEADER.size + len(package), ROBOT_STATE) + package
