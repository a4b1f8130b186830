"""A UR controller's face on an arm: all its ports on one address, served from one thread, once per cycle."""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path
from typing import Final, Literal

from robot.ur.loopback.controller import Controller
from robot.ur.loopback.dashboard import DASHBOARD_PORT, DashboardSession
from robot.ur.loopback.faults import CONTROL_PORT, ControlSession, Faults, parse
from robot.ur.loopback.net import Connection, Network
from robot.ur.loopback.outputs import Outputs
from robot.ur.loopback.plant import CYCLE_S, HomingPlant, Plant
from robot.ur.loopback.primary import PRIMARY_PORT, kinematics_message
from robot.ur.loopback.robotiq import GRIPPER_PORT, Gripper, GripperSession
from robot.ur.loopback.rtde_session import RtdeSession
from robot.ur.loopback.script_server import SCRIPT_PORTS, ScriptSession
from robot.ur.loopback.settings import ControllerSettings, arm_model
from robot.ur.loopback.trace import Trace
from robot.ur.protocol import RTDE_PORT

GripperWire = Literal["robotiq", "tool_digital_output", "digital_output"]
CYCLE_NS: Final = 2_000_000
# Behind by more than this, the controller's time jumps forward instead of being caught up with.
_LOST_NS: Final = 100_000_000


class UrFront:
    """The loopback controller.

    Nothing in it waits and it has no thread: `step` serves all sockets and moves the arm on by one cycle.

    Args:
        plant: The arm behind it.
        address: IPv4 address whose ports it takes.
        model: Name of the arm, as `ur10e`.
        faults: What goes wrong on purpose; one of its own if not given.
        settings: How it behaves.
        gripper: What moves the gripper: the Robotiq port, or output 0 of the tool or the control box, high to close.

    Attributes:
        controller: State machine; for reading.
        faults: What goes wrong on purpose.
        trace: The last 60 s of the joints.
    """

    def __init__(
        self,
        plant: Plant,
        address: str = "127.0.0.1",
        model: str = "ur10e",
        faults: Faults | None = None,
        settings: ControllerSettings | None = None,
        gripper: GripperWire = "robotiq",
    ) -> None:
        self.address = address
        self.faults = faults if faults is not None else Faults()
        self.trace = Trace()
        self._plant = plant
        joints_rad, _, opening = plant.read()
        self.controller = Controller(arm_model(model), settings or ControllerSettings(), joints_rad.copy())
        self._drift = self.controller.settings.clock_drift
        self._shift_s = 0.0
        self._gripper = Gripper()
        self._gripper.place(opening)
        self._gripper_bit = {"robotiq": None, "tool_digital_output": 16, "digital_output": 0}[gripper]
        self._closed_by_bit = False
        self._outputs = Outputs()
        self._network = Network(address, self.controller.say)
        self._clients: list[RtdeSession] = []
        self._input_owners: dict[str, RtdeSession] = {}
        self._control: set[Connection] = set()
        self._refused_s = 0.0
        self._t_ns = 0

    def start(self) -> None:
        """Listen on all ports.

        Raises:
            BadInput: If one of them cannot be had, naming it.
        """
        arm = self.controller
        try:
            self._network.listen(CONTROL_PORT, self._control_session)
            self._network.listen(RTDE_PORT, self._rtde_session)
            self._network.listen(DASHBOARD_PORT, lambda connection: DashboardSession(connection, arm))
            for port in SCRIPT_PORTS:
                first_words = kinematics_message(arm.model.dh) if port == PRIMARY_PORT else b""
                self._network.listen(port, partial(self._script_session, first_words))
            self._network.listen(GRIPPER_PORT, lambda connection: GripperSession(connection, self._gripper))
        except BaseException:
            self._network.close()
            raise

    def _script_session(self, first_words: bytes, connection: Connection) -> ScriptSession:
        connection.send(first_words)
        return ScriptSession(connection, self.controller)

    def _rtde_session(self, connection: Connection) -> RtdeSession:
        session = RtdeSession(connection, self.controller, self.faults, self._input_owners, self._clients.remove)
        self._clients.append(session)
        return session

    def _control_session(self, connection: Connection) -> ControlSession:
        self._control.add(connection)
        return ControlSession(connection, self)

    def step(self, t_ns: int | None = None) -> None:
        """One cycle of 2 ms: serve the sockets, read the plant, move its targets, publish.

        Args:
            t_ns: The time that this cycle stands for, of `time.monotonic_ns`; 2 ms after the cycle before if not given,
                but never more than 0.1 s behind the clock.
        """
        if t_ns is None:
            now_ns = time.monotonic_ns()
            due_ns = self._t_ns + CYCLE_NS
            t_ns = due_ns if now_ns - due_ns < _LOST_NS else now_ns
        elapsed_s = CYCLE_S if self._t_ns == 0 else (t_ns - self._t_ns) * 1e-9
        self._t_ns = t_ns
        self._carry_out()
        silent = self.faults.silent_s > 0.0
        if not silent:
            self._network.poll()
        joints_rad, velocity_rad_s, opening = self._plant.read()
        shift_s, self._shift_s = self._shift_s, 0.0
        target = self.controller.step(joints_rad, velocity_rad_s, elapsed_s * (1.0 + self._drift) + shift_s)
        self._follow_bit()
        self._plant.command(target, self._gripper.step(opening))
        self.trace.add(t_ns, joints_rad, velocity_rad_s)
        if self._clients and not silent:
            values = self._outputs.update(self.controller, tool=any(client.wants_tool for client in self._clients))
            for client in list(self._clients):
                client.publish(values, self.controller.time_s)
        self.faults.close_mid_packet = False
        self.faults.drop_packets = max(0, self.faults.drop_packets - 1)

    def _carry_out(self) -> None:
        faults = self.faults
        while faults.waiting:
            command, value = parse(faults.waiting.popleft())
            command(self, value)
        faults.silent_s = max(0.0, faults.silent_s - CYCLE_S)
        if self._refused_s > 0.0:
            self.refuse_connections(self._refused_s - CYCLE_S)

    def _follow_bit(self) -> None:
        if self._gripper_bit is None:
            return
        closed = bool(self.controller.registers.digital_outputs >> self._gripper_bit & 1)
        if closed != self._closed_by_bit:
            self._closed_by_bit = closed
            self._gripper.go(0.0 if closed else 1.0)

    def drop_connections(self) -> None:
        """Close all connections but those of the control port."""
        self._network.drop(self._control.__contains__)

    def refuse_connections(self, seconds: float) -> None:
        """Take no connections, but to the control port, for so long [s]; 0 takes them again."""
        was_refused, self._refused_s = self._refused_s > 0.0, max(0.0, seconds)
        if was_refused != (self._refused_s > 0.0):
            self._network.refuse(not was_refused, keep=CONTROL_PORT)

    def shift_clock(self, seconds: float) -> None:
        """Put the controller's clock forward by so much [s]."""
        self._shift_s += seconds

    def set_drift(self, drift: float) -> None:
        """Let the controller's clock run faster than ours by this much from now on."""
        self._drift = drift

    def reset(self) -> None:
        """As after powering up; a plant that can be is back where it was at first."""
        self.controller.reset()
        if isinstance(self._plant, HomingPlant):
            self._plant.home()
            self.rehome()

    def rehome(self) -> None:
        """Hold where the plant is now: a simulated arm was put somewhere else at once."""
        joints_rad, _, opening = self._plant.read()
        self.controller.place(joints_rad)
        self._gripper.place(opening)

    def write_trace(self, path: str) -> None:
        """Write the trace as npz: `t_ns`, `q`, `qd`."""
        self.trace.write(Path(path))

    def close(self) -> None:
        """Close all ports and connections. The plant keeps its last targets."""
        self._network.close()


def run_front(front: UrFront, stop: threading.Event) -> threading.Thread:
    """Step a front every 2 ms of real time in a thread of its own until `stop` is set; for plants without physics.

    Deadlines are absolute: a late cycle is followed by short ones, unless it was more than 0.1 s late.
    """

    def run() -> None:
        due_ns = time.monotonic_ns()
        while not stop.is_set():
            front.step(due_ns)
            due_ns += CYCLE_NS
            left_ns = due_ns - time.monotonic_ns()
            if left_ns > 0:
                time.sleep(left_ns * 1e-9)
            elif left_ns < -_LOST_NS:
                due_ns -= left_ns

    thread = threading.Thread(target=run, name="ur-loopback", daemon=True)
    thread.start()
    return thread
