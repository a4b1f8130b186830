"""A loopback controller for the checks of this folder, and a configuration of the arm behind it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from launch.config import Config, load_config
from tests.robot.ur.loopback_process import LoopbackProcess


@pytest.fixture(scope="session")
def controller_process() -> Iterator[LoopbackProcess]:
    process = LoopbackProcess(f"127.2.{1 + os.getpid() % 250}.1", "--unlock-delay", "0.1")
    yield process
    process.close()


@pytest.fixture
def controller(controller_process: LoopbackProcess) -> Iterator[LoopbackProcess]:
    """As after powering up, its faults off."""
    controller_process.inject("reset")
    yield controller_process
    controller_process.inject("reset")


# the machine of a test may be busy: what is late is not lost
PATIENT = ("rig.arm.heartbeat_ms=1000", "rig.arm.rate_hz=125", "rig.arm.options.silence_s=3.0")


def behind(address: str) -> tuple[str, ...]:
    """Assignments for the arm at an address."""
    return ("sim.controller=none", f"rig.arm.options.host={address}", *PATIENT)


@pytest.fixture
def configured(controller: LoopbackProcess) -> Callable[..., Config]:
    """The configuration of the loopback arm, at the controller."""

    def load(*assignments: str) -> Config:
        return load_config("ur10e_loopback", (*behind(controller.address), *assignments))

    return load
