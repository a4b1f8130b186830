"""ur_rtde's interfaces, connected once, since each takes half a second to let go; and a controller in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from robot.kinematics import UR10E_HOME_RAD
from robot.ur.loopback import ControllerSettings, IdealPlant, UrFront
from tests.robot.ur.loopback_process import LoopbackProcess, until


@pytest.fixture(scope="module")
def loopback_process(next_address: Callable[[], str]) -> Iterator[LoopbackProcess]:
    """A controller of this folder's own: the clients below stay connected to it."""
    process = LoopbackProcess(next_address(), "--unlock-delay", "0.1")
    yield process
    process.close()


@pytest.fixture(scope="module")
def connected_receiver(loopback_process: LoopbackProcess) -> Iterator[Any]:
    rtde_receive = pytest.importorskip("rtde_receive")
    receiver = rtde_receive.RTDEReceiveInterface(loopback_process.address, 500.0)
    yield receiver
    receiver.disconnect()


@pytest.fixture(scope="module")
def connected_control(loopback_process: LoopbackProcess) -> Iterator[Any]:
    rtde_control = pytest.importorskip("rtde_control")
    control = rtde_control.RTDEControlInterface(loopback_process.address, 500.0)
    yield control
    control.disconnect()


@pytest.fixture
def receiver(loopback: LoopbackProcess, connected_receiver: Any) -> Any:
    """ur_rtde's receive interface, of an arm at rest."""
    assert until(lambda: bool(np.abs(connected_receiver.getActualQd()).max() < 1e-3))
    return connected_receiver


@pytest.fixture
def control(loopback: LoopbackProcess, connected_control: Any) -> Any:
    """ur_rtde's control interface, its script freshly uploaded."""
    assert until(lambda: not connected_control.isProgramRunning())
    assert connected_control.reuploadScript()
    assert until(connected_control.isProgramRunning), loopback.status()["events"]
    return connected_control


@pytest.fixture
def dashboard(loopback: LoopbackProcess) -> Iterator[Any]:
    dashboard = pytest.importorskip("dashboard_client").DashboardClient(loopback.address)
    dashboard.connect()
    yield dashboard
    dashboard.disconnect()


@pytest.fixture
def plant() -> IdealPlant:
    return IdealPlant(UR10E_HOME_RAD)


@pytest.fixture
def front(plant: IdealPlant, loopback_address: str) -> Iterator[UrFront]:
    """A controller in this process, for clients that let it be stepped."""
    front = UrFront(plant, loopback_address, settings=ControllerSettings(unlock_delay_s=0.1))
    front.start()
    yield front
    front.close()
