from __future__ import annotations

from dataclasses import replace

import pytest

from robot.arm import FaultKind
from robot.ur.status import Reading, RobotMode, RuntimeState, SafetyStatus, fault_of, output_names, program_fault

WELL = Reading(
    timestamp_s=12.0,
    joint_positions_rad=(0.0, -1.5, 1.5, -1.5, -1.5, 0.0),
    joint_velocities_rad_s=(0.0,) * 6,
    robot_mode=RobotMode.RUNNING,
    safety_status=SafetyStatus.NORMAL,
    runtime_state=RuntimeState.PLAYING,
    speed_slider=1.0,
    script_state=1,
    digital_outputs=0,
    echo=0,
)


def test_all_is_well() -> None:
    assert fault_of(WELL, 0.99) is None
    assert fault_of(replace(WELL, safety_status=SafetyStatus.REDUCED), 0.99) is None
    assert program_fault(WELL) is None


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"safety_status": 3}, "protective_stop", "press Enable Robot"),
        ({"safety_status": 4}, "safety_fault", "Move tab"),
        ({"safety_status": 5}, "safeguard_stop", "Close it"),
        ({"safety_status": 6}, "emergency_stop", "release the button"),
        ({"safety_status": 7}, "emergency_stop", "release the button"),
        ({"safety_status": 8}, "safety_fault", "restart the safety system"),
        ({"safety_status": 9}, "safety_fault", "restart the safety system"),
        ({"safety_status": 10}, "safety_fault", "VALIDATE_JOINT_ID"),
        ({"safety_status": 12}, "safeguard_stop", "automatic mode"),
        ({"safety_status": 13}, "safeguard_stop", "enabling device"),
        ({"safety_status": 99}, "safety_fault", "99"),
        ({"robot_mode": 3}, "not_running", "POWER_OFF: expected RUNNING"),
        ({"robot_mode": 5}, "not_running", "press START"),
        ({"robot_mode": 6}, "not_running", "freedrive"),
        ({"robot_mode": 77}, "not_running", "77"),
        ({"speed_slider": 0.5}, "speed_slider", "50%: expected at least 99%"),
        # The gravest comes first.
        ({"speed_slider": 0.5, "robot_mode": 3, "safety_status": 7}, "emergency_stop", "emergency stop"),
        ({"speed_slider": 0.5, "robot_mode": 3}, "not_running", "POWER_OFF"),
    ],
)
def test_what_stops_an_arm_is_named(change: dict[str, float], kind: FaultKind, words: str) -> None:
    fault = fault_of(replace(WELL, **change), 0.99)  # type: ignore[arg-type]
    assert fault is not None
    assert fault.kind == kind
    assert words in fault.sentence
    # A slower slider does not stop the program; all else might let it go on by itself.
    assert fault.resumes == (kind != "speed_slider")


@pytest.mark.parametrize("state", [0, 1, 3, 4, 5])
def test_a_program_that_does_not_play_is_a_fault(state: int) -> None:
    fault = program_fault(replace(WELL, runtime_state=state))
    assert fault is not None
    assert fault.kind == "program_stopped"
    assert RuntimeState(state).name in fault.sentence


def test_an_arm_that_gives_way_may_be_in_backdrive() -> None:
    assert fault_of(replace(WELL, robot_mode=RobotMode.BACKDRIVE), 0.99, gives_way=True) is None


@pytest.mark.parametrize(
    "change",
    [
        {"joint_positions_rad": (1e293, 0.0, 0.0, 0.0, 0.0, 0.0)},
        {"joint_positions_rad": (0.0,) * 5},
        {"joint_velocities_rad_s": (0.0, float("nan"), 0.0, 0.0, 0.0, 0.0)},
        {"timestamp_s": float("inf")},
        {"timestamp_s": -1.0},
    ],
)
def test_what_no_arm_can_say_is_implausible(change: dict[str, object]) -> None:
    assert WELL.plausible
    assert not replace(WELL, **change).plausible  # type: ignore[arg-type]


@pytest.mark.parametrize("registers_from", [0, 24])
def test_fields_are_taken_by_name(registers_from: int) -> None:
    names = output_names(registers_from)
    values = dict(zip(names, (1.0, (1.0,) * 6, (2.0,) * 6, 7, 1, 2, 0.5, 3, 4, 5), strict=True))
    assert Reading.of(values, registers_from) == Reading(1.0, (1.0,) * 6, (2.0,) * 6, 7, 1, 2, 0.5, 3, 4, 5)
    assert names[7] == f"output_int_register_{registers_from}"
