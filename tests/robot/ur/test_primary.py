"""Kinematic figures out of the primary interface's stream."""

from __future__ import annotations

import math
import socket
import struct
import threading
from dataclasses import replace

import pytest

from deploy.errors import Missing
from robot.kinematics import UR10E, calibration_difference
from robot.ur import primary
from robot.ur.primary import HEADER, KINEMATICS, KinematicFigures, MessageReader, NotKinematics, pack_kinematics
from tests.robot.ur.loopback_process import LoopbackProcess

ZERO = (0.0,) * 6
NOMINAL = KinematicFigures(ZERO, UR10E.a_m, UR10E.d_m, UR10E.alpha_rad, (1, 2, 3, 4, 5, 0xFFFFFFFF))
# a version message, and a state with packages that are none of ours
VERSION = HEADER.pack(9, 20) + b"none"
STATE = HEADER.pack(5 + 9 + 5, 16) + HEADER.pack(9, 0) + b"mode" + HEADER.pack(5, 11)


def test_figures_come_out_as_they_went_in_however_the_stream_is_cut() -> None:
    stream = VERSION + STATE + pack_kinematics(NOMINAL) + STATE
    for size in (1, 2, 7, 64, len(stream)):
        reader = MessageReader()
        found = [reader.feed(stream[at : at + size]) for at in range(0, len(stream), size)]
        assert [figures for figures in found if figures is not None] == [NOMINAL]


def test_figures_are_corrections_to_a_model() -> None:
    moved = replace(NOMINAL, d_m=(*UR10E.d_m[:5], UR10E.d_m[5] + 0.002))
    assert calibration_difference(UR10E, NOMINAL.calibration(UR10E)) < 1e-12
    assert calibration_difference(UR10E, moved.calibration(UR10E)) == pytest.approx(0.002)


@pytest.mark.parametrize(
    "stream",
    [
        HEADER.pack(3, 16),
        HEADER.pack(-1, 16),
        HEADER.pack(1 << 30, 16),
        HEADER.pack(10, 16) + HEADER.pack(200, KINEMATICS),
        HEADER.pack(10, 16) + HEADER.pack(5, KINEMATICS),
        pack_kinematics(replace(NOMINAL, a_m=(math.nan, *ZERO[1:]))),
        pack_kinematics(replace(NOMINAL, a_m=(1e293, *ZERO[1:]))),
    ],
)
def test_damaged_streams_are_refused(stream: bytes) -> None:
    with pytest.raises(NotKinematics):
        MessageReader().feed(stream)


def test_the_loopback_controller_is_nominal(loopback: LoopbackProcess) -> None:
    figures = primary.read_kinematics(loopback.address, 5.0)
    assert (figures.theta_rad, figures.a_m, figures.d_m) == (ZERO, UR10E.a_m, UR10E.d_m)
    assert figures.alpha_rad == UR10E.alpha_rad


@pytest.mark.parametrize(
    ("sent", "closes", "said"),
    [
        (b"", True, "sends no kinematics"),
        (STATE, False, "sends no kinematics within 0.2 s"),
        (b"HTTP/1.1 400 Bad", True, "message says its size is"),
    ],
)
def test_other_peers_are_named(sent: bytes, closes: bool, said: str, loopback_address: str) -> None:
    done = threading.Event()
    with socket.create_server((loopback_address, primary.PRIMARY_PORT)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(sent)
                if closes:
                    connection.shutdown(socket.SHUT_WR)
                done.wait(5.0)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with pytest.raises(Missing, match=said):
                primary.read_kinematics(loopback_address, 0.2)
        finally:
            done.set()
            thread.join()


def test_nobody_there_is_missing(loopback_address: str) -> None:
    with pytest.raises(Missing, match=f"{loopback_address}:30001"):
        primary.read_kinematics(loopback_address, 0.2)


def test_the_package_has_the_size_of_the_interface() -> None:
    assert HEADER.size + primary.FIGURES.size == 225
    assert struct.unpack_from(">i", pack_kinematics(NOMINAL))[0] == 225 + HEADER.size
