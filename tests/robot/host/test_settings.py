"""What the arm host is told is checked before it starts, and arrives as it was said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.errors import BadInput
from robot.host.motions import to_park
from robot.host.settings import EXIT_S, HostSettings
from robot.host.surroundings import Surroundings
from robot.kinematics import UR10E_HOME_RAD, UR10E_LIMITS
from robot.kinematics.dh import UR10E
from robot.safety.cell import Workspace


@pytest.mark.parametrize(
    "settings",
    [
        HostSettings("robot.sim.remote:RemoteArm"),
        HostSettings(
            "a.b:C", {"host": "10.0.0.2", "gain": 300, "tool": [0.0, None, True]}, UR10E_LIMITS.scaled(0.3), "park",
            UR10E_HOME_RAD, 50_000_000, 125.0, 8_000_000, 123_456_789_012, Path("/runs/1/arm_host.jsonl"), 60,
            lock_memory=False, connect_timeout_s=3.0,
            surroundings=Surroundings(UR10E, (0.0, 0.0, 0.1), Workspace(), (), True, 0.01, 0.065),
        ),
    ],
)  # fmt: skip
def test_they_cross_to_the_other_process(settings: HostSettings) -> None:
    line = settings.to_json()
    assert "\n" not in line
    assert HostSettings.from_json(line) == settings


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"driver": "robot.sim.remote.RemoteArm"}, ["driver", "module:attribute"]),
        ({"exit_policy": "sleep"}, ["'sleep'", "hold, park or limp"]),
        ({"exit_policy": "park"}, ["park_joints_rad is not set"]),
        ({"exit_policy": "park", "park_joints_rad": (9.0,) * 6}, ["park_joints_rad", "9.0", "limits"]),
        ({"rate_hz": 0.0}, ["rate_hz 0.0"]),
        ({"rate_hz": float("nan")}, ["rate_hz nan"]),
        ({"rate_hz": 50.0}, ["rate_hz 50", "100 Hz"]),
        ({"heartbeat_ns": 0}, ["heartbeat_ns 0"]),
        ({"heartbeat_ns": 12_000_000}, ["heartbeat_ns 12000000", "20000000"]),
        ({"command_period_ns": -1}, ["command_period_ns -1"]),
    ],
)
def test_what_cannot_be_used_is_refused(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(BadInput) as error:
        HostSettings(**({"driver": "m:a"} | options))
    for word in words:
        assert word in str(error.value)


def test_a_slow_arm_is_given_the_time_to_park() -> None:
    slow = UR10E_LIMITS.scaled(0.1)
    settings = HostSettings("m:a", limits=slow, exit_policy="park", park_joints_rad=UR10E_HOME_RAD)
    low, high = list(slow.lower_rad), list(slow.upper_rad)
    motion = to_park(slow, low, high)
    assert motion is not None
    assert EXIT_S < motion.duration_s < settings.exit_s - 0.5 * EXIT_S
    assert HostSettings("m:a", limits=slow).exit_s == EXIT_S


def test_options_that_are_no_plain_values_are_refused() -> None:
    with pytest.raises(BadInput, match="options of m:a must be plain values"):
        HostSettings("m:a", {"camera": object()}).to_json()
