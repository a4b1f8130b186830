"""Unmodified clients of other makers; each test skips where its client is not installed.

Universal Robots' own RTDE library is on GitHub only (UniversalRobots/RTDE_Python_Client_Library), `pyrobotiqur` on
PyPI.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from robot.ur.protocol import INPUT_TYPES, NAMES_LIMIT, OUTPUT_TYPES
from tests.robot.ur.loopback_process import LoopbackProcess


def recipes(names: list[str]) -> Iterator[list[str]]:
    """Cut names into lists that a controller takes."""
    part: list[str] = []
    for name in names:
        if len(",".join([*part, name])) > NAMES_LIMIT:
            yield part
            part = []
        part.append(name)
    yield part


def test_makers_library_reads_every_output(loopback: LoopbackProcess) -> None:
    rtde = pytest.importorskip("rtde.rtde")
    client = rtde.RTDE(loopback.address)
    client.connect()
    assert client.get_controller_version() == (5, 12, 2, 1101534)
    for names in recipes(list(OUTPUT_TYPES)):
        assert client.send_output_setup(names, [OUTPUT_TYPES[name] for name in names], frequency=500)
        assert client.send_start()
        state = client.receive()
        assert state is not None
        for name in names:
            assert hasattr(state, name)
        assert client.send_pause()
    client.disconnect()


def test_makers_library_writes_registers_and_reads_them_back(loopback: LoopbackProcess) -> None:
    rtde = pytest.importorskip("rtde.rtde")
    client = rtde.RTDE(loopback.address)
    client.connect()
    assert client.send_output_setup(["input_int_register_22", "input_double_register_22", "timestamp"], frequency=125)
    inputs = client.send_input_setup(["input_int_register_22", "input_double_register_22"], ["INT32", "DOUBLE"])
    assert client.send_start()
    inputs.input_int_register_22, inputs.input_double_register_22 = -7, 0.25
    client.send(inputs)
    end = time.monotonic() + 2.0
    state = client.receive()
    while state.input_int_register_22 != -7 and time.monotonic() < end:
        state = client.receive()
    assert (state.input_int_register_22, state.input_double_register_22) == (-7, 0.25)
    other = rtde.RTDE(loopback.address)
    other.connect()
    with pytest.raises(ValueError, match="already in use"):
        other.send_input_setup(["input_int_register_22"])
    other.disconnect()
    client.disconnect()


def test_makers_library_sets_up_every_input(spare: LoopbackProcess) -> None:
    rtde = pytest.importorskip("rtde.rtde")
    client = rtde.RTDE(spare.address)
    client.connect()
    for names in recipes(list(INPUT_TYPES)):
        assert client.send_input_setup(names, [INPUT_TYPES[name] for name in names]) is not None
    client.disconnect()


def test_robotiq_client_opens_and_closes(loopback: LoopbackProcess) -> None:
    pyrobotiqur = pytest.importorskip("pyrobotiqur")
    with pyrobotiqur.RobotiqGripper(loopback.address) as gripper:
        gripper.activate()
        assert gripper.get_status() == 3
        assert gripper.close(speed=255) == (255, 3)
        assert gripper.move(100, speed=255) == (100, 3)
        assert gripper.open(speed=255) == (0, 3)
        gripper.reset()
        assert gripper.get_status() == 0
