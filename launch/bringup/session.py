"""The arm of a configuration: its driver, and the simulated cell where it has one."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.errors import BadInput
from launch import plugins
from launch.arm_host import driver_options
from launch.config import Config
from launch.config.rig import ArmConfig
from launch.schedulers.wall import RunClock
from launch.sources import SIMULATED
from launch.wall_cell import REMOTE_ARM
from robot.arm import Arm
from robot.sim.settings import WorldSettings
from robot.sim.world_client import RunningWorld
from robot.sim.world_process import WorldProcess


@dataclass(frozen=True, slots=True)
class ArmSession:
    """An arm that can be connected.

    Attributes:
        arm: Its configuration.
        driver: Its driver's factory, `module:attribute`.
        options: What the factory is called with, but for the clock.
        clock: Run clock.
    """

    arm: ArmConfig
    driver: str
    options: Mapping[str, Any]
    clock: RunClock

    @property
    def state_rate_hz(self) -> float | None:
        """States a second that the driver was asked for; None where it does not say [Hz]."""
        rate = self.options.get("rate_hz")
        return None if rate is None else float(rate)

    def build(self, changes: Mapping[str, Any]) -> Arm:
        """The driver in this process, not connected.

        Args:
            changes: Options in place of the configuration's.

        Raises:
            BadInput: If the driver does not take an option, or not its value.
        """
        module, _, attribute = self.driver.partition(":")
        factory = getattr(importlib.import_module(module), attribute)
        options = {**self.options, **changes}
        if "clock" in inspect.signature(factory).parameters:
            options["clock"] = self.clock
        plugins.check_options(factory, self.arm.type, "rig.arm.options", options)
        driver: Arm = factory(**options)
        return driver


@contextmanager
def open_session(config: Config) -> Iterator[ArmSession]:
    """Find the arm of a configuration; a simulated cell that it asks for runs until the end.

    Raises:
        BadInput: If the rig has no arm, or its driver is not registered or does not take an option.
        Missing: If the simulated cell does not come up, or does not answer.
    """
    arm = config.rig.arm
    if arm is None:
        raise BadInput(f"rig.arm: rig {config.rig.name} has no arm; name a configuration with one")
    clock = RunClock()
    with ExitStack() as stack:
        if arm.type != SIMULATED:
            options = driver_options(arm)
            if config.sim.controller == arm.type and config.sim.world is None:
                stack.enter_context(WorldProcess(_settings(config, clock, config.sim.address)))
            yield ArmSession(arm, plugins.target("arms", arm.type), options, clock)
            return
        if config.sim.world is not None:
            world = RunningWorld(Path(config.sim.world))
            stack.callback(world.close)
            clock = RunClock(world.client.status().epoch_ns)
        else:
            world = stack.enter_context(WorldProcess(_settings(config, clock, None)))
        yield ArmSession(arm, REMOTE_ARM, {**arm.options, "socket": str(world.socket)}, clock)


def _settings(config: Config, clock: RunClock, ur_address: str | None) -> WorldSettings:
    arm = config.rig.arm
    assert arm is not None
    return WorldSettings(
        Path(), clock.epoch_ns, seed=config.seed, renderer="none", ur_address=ur_address, ur_model=arm.model
    )
