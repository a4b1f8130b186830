"""Which controller is played, and how it behaves."""

from __future__ import annotations

from dataclasses import dataclass

from robot.kinematics import DhModel, JointLimits, limits_named, model_named


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """How the controller behaves. The defaults are those of a real one where they are known.

    Attributes:
        servo_acceleration_rad_s2: Most that a joint can do under servoj: a target that asks for more is a protective
            stop. A figure of ours: UR publishes none.
        brake_rad_s2: Deceleration of the stops that the controller makes itself, by the fastest joint. Ours as well.
        deviation_rad: A joint this far from where it was sent is a protective stop. Ours as well.
        unlock_delay_s: A protective stop cannot be unlocked before this time has passed.
        power_step_s: How long each step of powering up takes; a real arm takes seconds.
        slider_rate: How fast the speed scaling follows the slider [1/s].
        clock_offset_s: Controller's clock at the first cycle: how long it was powered on before.
        clock_drift: How much faster the controller's clock runs than ours: 50e-6 gains 50 us in a second.
        version: Of the software: major, minor, bugfix, build.
        serial_number: As the dashboard gives it.
    """

    servo_acceleration_rad_s2: float = 40.0
    brake_rad_s2: float = 10.0
    deviation_rad: float = 0.3
    unlock_delay_s: float = 5.0
    power_step_s: float = 0.2
    slider_rate: float = 5.0
    clock_offset_s: float = 1000.0
    clock_drift: float = 0.0
    version: tuple[int, int, int, int] = (5, 12, 2, 1101534)
    serial_number: str = "20225500001"


@dataclass(frozen=True, slots=True)
class ArmModel:
    """An arm that the controller can be told to have.

    Attributes:
        name: The manufacturer's.
        dashboard_name: What the dashboard calls it: without the e.
        dh: Figures of its kinematics.
        limits: Joint ranges and speeds.
    """

    name: str
    dashboard_name: str
    dh: DhModel
    limits: JointLimits


def arm_model(name: str) -> ArmModel:
    """Look up an arm by name, as `ur10e`.

    Raises:
        BadInput: If there is none of that name, listing those there are.
    """
    dh = model_named(name)
    return ArmModel(dh.name, dh.name.removesuffix("e"), dh, limits_named(name))
