"""The simulated world as a process: how late its steps are while its camera renders, and what its clients wait for.

    python benchmarks/world_process.py [--seconds 30] [--renderer auto] [--ur 127.0.0.1] [--json]

A 100 Hz loop reads the arm, asks for the truth and sends a command, as a run does; the wrist camera is read at 10 Hz.
Behind `--ur` the arm is driven through a loopback UR controller by ur_rtde instead. The lateness of a step is counted
from its deadline. A frame's way is timed from the moment when the camera's process begins to send it; its age is what
rendering, the sensor's noise and that way add up to.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from deploy.errors import EyehandError
from perception.frame import Frame
from robot.arm import Arm, JointCommand
from robot.sim import wire
from robot.sim.camera_server import send_frame
from robot.sim.layout import CAMERA
from robot.sim.remote import RemoteArm, RemoteCamera
from robot.sim.settings import WorldSettings
from robot.sim.world_process import WorldProcess

RATE_HZ = 100
WARM_UP_S = 1.0
FRAMES = 200


def percentiles(values: list[float] | np.ndarray) -> dict[str, float]:
    p50, p99, p999, worst = np.percentile(values, [50.0, 99.0, 99.9, 100.0]).tolist()
    return {"n": len(values), "p50": p50, "p99": p99, "p99.9": p999, "worst": worst}


def frame_way_ms() -> list[float]:
    """Hand frames from a process to another by the world's wire [ms]."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    child = os.fork()
    if child == 0:
        near.close()
        frame = Frame(
            "wrist", 0, 0, 0, np.full((480, 640, 3), 90, np.uint8), np.full((480, 640), 700, np.uint16), 0.001, CAMERA
        )
        while far.recv(1):
            object.__setattr__(frame, "stamp_ns", time.monotonic_ns())
            send_frame(far, frame)
        os._exit(0)
    far.close()
    ways = []
    for _ in range(FRAMES):
        time.sleep(0.005)
        near.sendall(b"x")
        ways.append((-wire.receive(near).head["stamp_ns"] + time.monotonic_ns()) * 1e-6)
    near.close()
    os.waitpid(child, 0)
    return ways


def measure(seconds: float, renderer: Any, ur: str | None) -> dict[str, Any]:
    ways = frame_way_ms()
    epoch_ns = time.monotonic_ns()

    def clock() -> int:
        return time.monotonic_ns() - epoch_ns

    settings = WorldSettings(Path(), epoch_ns, renderer=renderer, ur_address=ur)
    found: dict[str, Any] = {"renderer": renderer, "ur": ur, "frame_way_ms": percentiles(ways)}
    with WorldProcess(settings) as world:
        found["renderer"] = world.renderer
        arm: Arm = RemoteArm(world.socket, clock)
        if ur is not None:
            from robot.ur.driver import UrArm

            arm = UrArm(ur, clock=clock)
        arm.connect()
        over, ages = threading.Event(), []

        def look(camera: RemoteCamera) -> None:
            while not over.is_set():
                frame = camera.read()
                assert frame is not None
                ages.append((frame.sequence, frame.stamp_ns, (frame.received_ns - frame.stamp_ns) * 1e-6))

        looking = None
        if renderer != "none":
            looking = threading.Thread(target=look, args=(RemoteCamera(world.socket, clock),), daemon=True)
            looking.start()
        world.reset(1, keep_arm=True)
        time.sleep(WARM_UP_S)
        since_ns, begin = clock(), time.monotonic()
        home = arm.read_state().joint_positions_rad
        calls: dict[str, list[float]] = {"read": [], "truth": [], "send": []}
        for tick in range(round(seconds * RATE_HZ)):
            target = home + 0.2 * np.sin(0.01 * tick) * np.eye(6)[0]
            command = JointCommand(clock(), "position", target, 1.0)
            send = partial(arm.send, command)
            for name, call in (("read", arm.read_state), ("truth", world.truth), ("send", send)):
                start = time.perf_counter()
                call()
                calls[name].append((time.perf_counter() - start) * 1e6)
            time.sleep(max(0.0, begin + (tick + 1) / RATE_HZ - time.monotonic()))
        over.set()
        if looking is not None:
            looking.join()
        trace = world.client.trace()
        found["step_late_us"] = percentiles(trace.lateness_ns[trace.stamp_ns > since_ns] * 1e-3)
        found |= {f"{name}_us": percentiles(values) for name, values in calls.items()}
        seen = [(number, age) for number, stamp_ns, age in ages if stamp_ns > since_ns]
        if seen:
            found["frame_age_ms"] = percentiles([age for _, age in seen])
            found["exposures_left_out"] = seen[-1][0] - seen[0][0] + 1 - len(seen)
        status = world.client.status()
        found |= {"scheduler": status.scheduler, "slips": status.slips}
        arm.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--renderer", default="auto", choices=("auto", "egl", "raycast", "none"))
    parser.add_argument("--ur", default=None, metavar="ADDRESS")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        found = measure(options.seconds, options.renderer, options.ur)
    except EyehandError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    if options.json:
        print(json.dumps(found))
        return 0
    for name, value in found.items():
        text = value
        if isinstance(value, dict):
            text = "  ".join(f"{key} {number:.2f}" if key != "n" else f"n {number}" for key, number in value.items())
        print(f"{name:20} {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
