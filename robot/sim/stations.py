"""Who is served by the physics thread itself: the arm's one driver, and whoever watches the truth."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from deploy.errors import BadInput
from robot.arm import JointCommand, RobotState
from robot.sim import wire
from robot.sim.clockwork import Clockwork, Moment
from robot.sim.layout import JOINT_NAMES

_STATE_HEAD: Final = b'{"op": "state"}'


class ArmStation:
    """The arm's control box: sends every state, takes commands; it has one client at a time.

    A client that goes away leaves the arm to its position target; a velocity runs out after 200 ms.

    Attributes:
        refused: Commands that were not followed: made before the scene was changed, or not finite.
    """

    def __init__(self) -> None:
        self._client: _ArmClient | None = None
        self.refused = 0

    @property
    def taken(self) -> bool:
        """Whether a driver is connected."""
        return self._client is not None

    def admit(self, connection: socket.socket, clockwork: Clockwork) -> None:
        """Serve a driver from now on, unless there is one; called in the physics thread.

        Raises:
            BadInput: If another one is connected.
        """
        self.before(clockwork)  # the one that was here may have gone since the last step
        if self._client is not None:
            raise BadInput("the simulated arm is driven by another client: close that one first")
        client = _ArmClient(connection)
        client.outbox.offer(wire.pack({"op": "welcome", "joint_names": JOINT_NAMES}))
        self._client = client

    def before(self, clockwork: Clockwork) -> bool:
        """Follow what the driver sent since the last step."""
        client = self._client
        if client is None:
            return True
        try:
            for message in client.inbox.take():
                self._follow(message, clockwork)
        except wire.WireError:
            self._drop()
        return True

    def after(self, moment: Moment, *, judged: bool) -> None:  # noqa: ARG002 - the arm knows no truth
        """Send the state."""
        if self._client is None:
            return
        try:
            self._client.outbox.offer(wire.pack(_STATE_HEAD, state_bytes(moment.state)))
        except wire.WireError:
            self._drop()

    def _follow(self, message: wire.Message, clockwork: Clockwork) -> None:
        match message.head.get("op"):
            case "command":
                command = command_from(message.body)
                if command is None or not clockwork.running or command.stamp_ns < clockwork.began_ns:
                    self.refused += 1
                else:
                    clockwork.arm.send(command)
            case "stop":
                clockwork.arm.stop()
            case "limp":
                clockwork.arm.limp()
            case other:
                raise wire.WireError(f"the arm does not know {other!r}")

    def _drop(self) -> None:
        if self._client is not None:
            self._client.connection.close()
            self._client = None


class _ArmClient:
    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.inbox, self.outbox = wire.Inbox(connection), wire.Outbox(connection)


class TruthStation:
    """Pushes what the judge sees, a hundred times per second, to one client.

    Args:
        connection: The client.
        gone: Called when it has gone.
    """

    def __init__(self, connection: socket.socket, gone: Callable[[], None]) -> None:
        self._connection, self._gone = connection, gone
        self._inbox, self._outbox = wire.Inbox(connection), wire.Outbox(connection)

    def before(self, clockwork: Clockwork) -> bool:  # noqa: ARG002 - it only watches
        """Whether the client is still there; it has nothing to say."""
        try:
            for _ in self._inbox.take():
                pass
        except wire.WireError:
            self._connection.close()
            self._gone()
            return False
        return True

    def after(self, moment: Moment, *, judged: bool) -> None:
        """Send the truth if it is new."""
        if not judged:
            return
        with contextlib.suppress(wire.WireError):  # it will be missed before the next step
            self._outbox.offer(wire.pack(truth_head(moment)))


def truth_head(moment: Moment) -> dict[str, Any]:
    """The truth as clients get it."""
    return {
        "episode": moment.episode,
        "stamp_ns": moment.state.stamp_ns,
        "running": moment.running,
        **moment.truth,
    }


def state_bytes(state: RobotState) -> bytes:
    """A state as it goes over the wire."""
    return wire.STATE.pack(
        state.sequence,
        state.stamp_ns,
        *state.joint_positions_rad.tolist(),
        *state.joint_velocities_rad_s.tolist(),
        state.gripper_opening,
    )


def state_from(body: bytes | bytearray) -> RobotState:
    """A state as it came over the wire.

    Raises:
        robot.sim.wire.WireError: If it has another size.
    """
    if len(body) != wire.STATE.size:
        raise wire.WireError(f"a state of {len(body)} bytes: expected {wire.STATE.size}")
    sequence, stamp_ns, *values = wire.STATE.unpack(body)
    return RobotState(sequence, stamp_ns, np.array(values[:6]), np.array(values[6:12]), values[12])


def command_bytes(command: JointCommand) -> bytes:
    """A command as it goes over the wire."""
    return wire.COMMAND.pack(
        command.stamp_ns, command.mode == "velocity", *command.joints.tolist(), command.gripper_opening
    )


def command_from(body: bytes | bytearray) -> JointCommand | None:
    """A command as it came over the wire; None if a value is not finite.

    Raises:
        robot.sim.wire.WireError: If it has another size.
    """
    if len(body) != wire.COMMAND.size:
        raise wire.WireError(f"a command of {len(body)} bytes: expected {wire.COMMAND.size}")
    stamp_ns, velocity, *values = wire.COMMAND.unpack(body)
    if not np.isfinite(values).all():
        return None
    return JointCommand(stamp_ns, "velocity" if velocity else "position", np.array(values[:6]), values[6])
