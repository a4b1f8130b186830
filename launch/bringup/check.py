"""All looks at an arm, in the order in which somebody careful would take them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from deploy.errors import BadInput, EyehandError, Missing
from deploy.realtime import Realtime
from launch.bringup.controller import examine_controller
from launch.bringup.finding import Finding
from launch.bringup.jog import JogPlan, jog
from launch.bringup.mover import Mover
from launch.bringup.session import ArmSession, open_session
from launch.bringup.states import judge_link, judge_standing, judge_states, watch
from launch.config import Config
from launch.wiring import arm_model, governor_limits
from robot.arm import Arm, ArmFault
from robot.kinematics import Kinematics
from robot.ur.driver import UrArm

ROUND_TRIPS = 200


def check_arm(
    config: Config, seconds: float, plan: JogPlan | None = None, confirm: Callable[[], bool] = lambda: True
) -> Iterator[Finding]:
    """Look at the arm of a configuration; nothing moves but in a jog that was confirmed.

    Args:
        config: Whose arm.
        seconds: How long to listen to its states [s].
        plan: How to move each joint; None does not.
        confirm: Asked before the first motion, after all other findings.

    Yields:
        Findings; after a failure that makes the next looks pointless, none.

    Raises:
        BadInput: If the configuration has no arm that can be built.
        Missing: If a simulated cell does not come up.
    """
    with open_session(config) as session:
        arm = session.arm
        ours = arm_model(arm)
        # looking must not wake a gripper: activation moves its fingers
        changes: dict[str, Any] = {"gripper": "none"} if arm.type == "ur" else {}
        driver = session.build(changes)
        healthy = True
        for finding in _looks(session, driver, ours, config, seconds):
            healthy = healthy and finding.status != "failure"
            yield finding
        if plan is None:
            return
        if not healthy:
            yield Finding("jog", "failure", "not tried: nothing moves before the failures above are seen to")
        elif not confirm():
            yield Finding("jog", "failure", "not confirmed: nothing was moved", "type yes, or give --yes")
        else:
            mover = Mover(session, changes, config, ours, plan.pace)
            yield from jog(mover, plan, Realtime(config.realtime))


def _looks(session: ArmSession, driver: Arm, ours: Kinematics, config: Config, seconds: float) -> Iterator[Finding]:
    options = session.options
    if isinstance(driver, UrArm):
        fine = True
        for finding in examine_controller(
            driver,
            str(options["host"]),
            ours,
            min_speed_scaling=float(options.get("min_speed_scaling", 0.99)),
            gripper=str(options.get("gripper", "robotiq")),
            timeout_s=float(options.get("timeout_s", 2.0)),
        ):
            fine = fine and finding.status != "failure"
            yield finding
        if not fine:  # its control script is not started on a controller that is not ready
            return
    try:
        driver.connect()
    except (EyehandError, ArmFault) as error:
        missing = isinstance(error, Missing)
        what = "does not answer as it should" if missing else "cannot be commanded"
        yield Finding("connection", "failure", f"{driver.name} {what}", str(error), missing=missing)
        return
    try:
        yield Finding("connection", "ok", f"driver {session.arm.type} can command the arm")
        watched = watch(driver, seconds)
        states = judge_states(watched, session.state_rate_hz)
        yield states
        if not states.missing:
            yield judge_standing(watched, governor_limits(config).joints)
        if isinstance(driver, UrArm):
            yield from judge_link(driver.measure_round_trip(ROUND_TRIPS), driver.clock_report())
    except (ArmFault, Missing, BadInput) as error:
        yield Finding("connection", "failure", "it was lost", str(error), missing=isinstance(error, Missing))
    finally:
        driver.close()
