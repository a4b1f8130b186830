"""`eyehand simulate`: a robot's controller on this machine, and what goes wrong with it."""

from __future__ import annotations

import argparse
import importlib.util
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from deploy.errors import BadInput, Missing
from launch.cli.say import progress
from launch.interruption import Interruption

_LOOK_S = 0.5


def execute(options: argparse.Namespace) -> int:
    """Run the command: until it is interrupted, which is no failure; 3 if the simulated cell ends by itself."""
    if options.what == "fault":
        sys.stdout.write(f"{inject(options.address, ' '.join(options.fault))}\n")
        return 0
    cell: Callable[[argparse.Namespace], AbstractContextManager[Callable[[], None]]] = (
        ideal_cell if options.ideal else simulated_cell
    )
    with Interruption() as interruption, cell(options) as check:
        for words in options.faults:
            inject(options.address, words)
        progress(f"something goes wrong: eyehand simulate fault protective_stop --address {options.address}")
        progress(
            "look at it: eyehand robot check ur10e_loopback --set sim.controller=none "
            f"--set rig.arm.options.host={options.address}"
        )
        progress("Ctrl-C ends it")
        log = ControllerLog(options.address)
        while not interruption.requested:
            check()
            for event in log.new():
                progress(f"controller: {event}")
            time.sleep(_LOOK_S)
    if options.trace is not None:
        progress(f"trace: {options.trace}")
    return 0


@contextmanager
def simulated_cell(options: argparse.Namespace) -> Iterator[Callable[[], None]]:
    """The simulated cell behind the controller, as a process; gives what sees whether it is still there."""
    if importlib.util.find_spec("mujoco") is None:
        raise Missing("mujoco is not installed: pip install 'eyehand[sim]', or give --ideal for an arm without physics")
    from robot.sim.scene import with_conveyor
    from robot.sim.settings import WorldSettings
    from robot.sim.world_process import WorldProcess

    settings = WorldSettings(
        socket=options.socket.absolute() if options.socket is not None else Path(),
        epoch_ns=time.monotonic_ns(),
        seed=options.seed,
        renderer=options.renderer,
        parameters=with_conveyor(options.conveyor),
        ur_address=options.address,
        ur_model=options.model,
        ur_gripper=options.gripper,
        trace=options.trace,
    )
    with WorldProcess(settings) as world:
        _tell_ports(options)
        status = world.client.status()
        progress(
            f"cell: seed {options.seed}, renderer {world.renderer} ({world.renderer_reason}), process {status.pid}"
        )
        progress(f"cameras and truth: socket {world.socket}")
        for note in status.notes:
            progress(note)
        if options.renderer != "none":
            progress(
                "run on it: eyehand run ur10e_loopback "
                f"--set sim.world={world.socket} --set rig.arm.options.host={options.address}"
            )

        def check() -> None:
            world.truth()

        yield check


@contextmanager
def ideal_cell(options: argparse.Namespace) -> Iterator[Callable[[], None]]:
    """An arm without mass behind the controller, in this process."""
    import threading

    import numpy as np

    from robot.kinematics import UR10E_HOME_RAD
    from robot.ur.loopback import IdealPlant, UrFront, run_front

    front = UrFront(IdealPlant(UR10E_HOME_RAD), options.address, options.model, gripper=options.gripper)
    front.start()
    stop = threading.Event()
    thread = run_front(front, stop)
    _tell_ports(options)

    def check() -> None:
        if not thread.is_alive():
            raise Missing("the simulated controller ended by itself; start it again")

    try:
        yield check
    finally:
        stop.set()
        thread.join()
        front.close()
        if options.trace is not None:
            stamp_ns, joints_rad, speeds_rad_s = front.trace.rows()
            np.savez_compressed(options.trace, stamp_ns=stamp_ns, joints_rad=joints_rad, speeds_rad_s=speeds_rad_s)


class ControllerLog:
    """What happens in a simulated controller, as it tells on its control port.

    Args:
        address: Of the controller.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._last: list[str] = []

    def new(self) -> list[str]:
        """Events since the last call, oldest first."""
        try:
            events: list[str] = json.loads(inject(self._address, "status"))["events"]
        except Missing:  # silent on purpose, perhaps; whether it is there at all is seen elsewhere
            return []
        known, self._last = set(self._last), events
        return [event for event in events if event not in known]


def inject(address: str, words: str) -> str:
    """Say one line to a simulated controller's control port; its answer.

    Raises:
        Missing: If no simulated controller is there.
        BadInput: If it does not know the fault.
    """
    from robot.ur.loopback import CONTROL_PORT

    try:
        with socket.create_connection((address, CONTROL_PORT), timeout=5.0) as connection:
            stream = connection.makefile("rw", encoding="utf-8", newline="\n")
            stream.write(f"{words}\n")
            stream.flush()
            answer = stream.readline().strip()
    except OSError as error:
        raise Missing(
            f"no simulated controller answers at {address}:{CONTROL_PORT} ({error}): start one with "
            f"eyehand simulate ur --address {address}"
        ) from error
    if answer.startswith("error:"):
        raise BadInput(answer.removeprefix("error:").strip())
    return answer


def _tell_ports(options: argparse.Namespace) -> None:
    from robot.ur.dashboard import DASHBOARD_PORT
    from robot.ur.loopback import CONTROL_PORT
    from robot.ur.protocol import RTDE_PORT
    from robot.ur.robotiq import ROBOTIQ_PORT

    progress(
        f"UR controller at {options.address}, {options.model}: dashboard {DASHBOARD_PORT}, scripts 30001 to 30003, "
        f"RTDE {RTDE_PORT}, Robotiq gripper {ROBOTIQ_PORT}, faults {CONTROL_PORT}"
    )
