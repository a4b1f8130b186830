"""From a connected controller to one whose control script runs: what is looked at first, and what stands in the way."""

from __future__ import annotations

from contextlib import closing
from typing import Final

from deploy.errors import BadInput, Missing
from robot.arm import ArmFault
from robot.ur.dashboard import Dashboard, Identity, require_remote
from robot.ur.inbox import Inbox
from robot.ur.script import control_script
from robot.ur.session import Session
from robot.ur.settings import SessionSettings
from robot.ur.status import Reading, RuntimeState, SafetyStatus, fault_of

_STOPPED_S: Final = 3.0
_UNLOCKED_S: Final = 2.0


def start(session: Session, inbox: Inbox, settings: SessionSettings, host: str, model: str, *, unlock: bool) -> None:
    """See that the arm may be commanded, stop what runs on the controller, and start the control script.

    Args:
        session: An open one.
        inbox: Where its readings are.
        settings: How the controller is talked to.
        host: Its address.
        model: Name of the arm that it must have.
        unlock: Whether to unlock a protective stop.

    Raises:
        Missing: If the controller does not answer or is in local control, and what to do.
        ArmFault: If the arm is not ready to move, and what to do.
        BadInput: If it is another arm.
    """
    where = f"{model} at {host}"

    def reading() -> Reading:
        newest = inbox.newest
        if newest is None:
            raise Missing(f"{where}: no state has come")
        return newest.reading

    with closing(Dashboard(host, settings.timeout_s)) as dashboard:
        identity = dashboard.identity()
        _require_model(identity, model)
        require_remote(identity)
        if unlock and reading().safety_status == SafetyStatus.PROTECTIVE_STOP:
            _unlock(dashboard, session, where)
        fault = fault_of(reading(), settings.min_speed_scaling)
        if fault is not None:
            raise ArmFault(fault.kind, f"{where}: {fault.sentence}")
        if reading().runtime_state != RuntimeState.STOPPED:
            dashboard.ask("stop")
        if not session.wait(lambda state: state.runtime_state == RuntimeState.STOPPED, _STOPPED_S):
            raise Missing(f"{where}: its program does not stop within {_STOPPED_S:g} s; stop it at the teach pendant")
    major, minor, _, _ = session.version
    session.start_script(control_script(host, major, minor, settings.registers_from))


def _unlock(dashboard: Dashboard, session: Session, where: str) -> None:
    dashboard.ask("close safety popup")
    answer = dashboard.ask("unlock protective stop")
    if not session.wait(lambda state: state.safety_status != SafetyStatus.PROTECTIVE_STOP, _UNLOCKED_S):
        raise ArmFault("protective_stop", f"{where}: the protective stop stays: {answer}")


def _require_model(identity: Identity, model: str) -> None:
    # The dashboard leaves out the e of the e-Series.
    if identity.model.lower().rstrip("e") != model.lower().rstrip("e"):
        raise BadInput(f"model {model}: the controller at {identity.address} has a {identity.model}; set `model` to it")
