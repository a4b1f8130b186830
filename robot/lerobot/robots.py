"""LeRobot's robots by their registered names, those of plug-in packages included."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

from deploy.errors import BadInput, Missing

EXTRA: Final = "lerobot"
# what LeRobot's robots import, and the extra of LeRobot that brings it
_EXTRAS: Final = {
    "scservo_sdk": "feetech", "dynamixel_sdk": "dynamixel", "serial": "hardware", "deepdiff": "hardware",
    "can": "damiao", "reachy2_sdk": "reachy2", "unitree_sdk2py": "unitree_g1", "zmq": "lekiwi",
    "pynput": "hardware",
}  # fmt: skip


def make_robot(name: str, config: Mapping[str, Any]) -> Any:
    """Make a robot of LeRobot; it is not connected.

    The arm should keep holding when it is let go of: where the robot has `disable_torque_on_disconnect`, that is off
    unless the configuration says otherwise.

    Args:
        name: Registered name, for example `so101_follower`; what `--robot.type` takes.
        config: Fields of its configuration class.

    Returns:
        A `lerobot.robots.Robot`.

    Raises:
        Missing: If LeRobot, or what the robot needs, is not installed.
        BadInput: If there is no such robot, or its configuration refuses a field.
    """
    robots = _import("lerobot.robots")
    _import("lerobot.utils.import_utils").register_third_party_plugins()
    absent: dict[str, str] = {}
    if name not in robots.RobotConfig.get_known_choices():
        absent = _register_all(robots)
    known = robots.RobotConfig.get_known_choices()
    if name not in known:
        lacking = "".join(f"; {package} cannot be imported ({why})" for package, why in sorted(absent.items()))
        raise BadInput(f"robot {name!r} is not registered with LeRobot: it knows {', '.join(sorted(known))}{lacking}")
    options = dict(config)
    if "disable_torque_on_disconnect" in getattr(known[name], "__dataclass_fields__", {}):
        options.setdefault("disable_torque_on_disconnect", False)
    draccus = _import("draccus")
    try:
        parsed = draccus.decode(robots.RobotConfig, {**options, "type": name})
    except (draccus.utils.DraccusException, ValueError, TypeError) as error:
        raise BadInput(f"config of robot {name}: {error}") from error
    try:
        return _import("lerobot.robots.utils").make_robot_from_config(parsed)
    except ImportError as error:
        raise Missing(f"robot {name}: {_with_remedy(error)}") from error
    except Exception as error:
        if isinstance(error.__cause__, ImportError):
            raise Missing(f"robot {name}: {_with_remedy(error.__cause__)}") from error
        raise BadInput(f"robot {name} cannot be made from its config: {error}") from error


def _import(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except Exception as error:  # LeRobot imports torch, which has its own ways of failing
        raise Missing(f"{module} cannot be imported ({error}): pip install 'eyehand[{EXTRA}]'") from error


def _register_all(robots: ModuleType) -> dict[str, str]:
    """Import every robot that LeRobot ships, which registers it; those that cannot be, with the reason."""
    absent = {}
    for package in pkgutil.iter_modules(robots.__path__):
        if package.ispkg:
            try:
                importlib.import_module(f"{robots.__name__}.{package.name}")
            except Exception as error:  # one that is not wanted must not stand in the way
                absent[package.name] = str(error)
    return absent


def _with_remedy(error: ImportError) -> str:
    """What is missing and how to get it; newer LeRobots say that themselves."""
    if "pip install" in str(error):
        return str(error)
    extra = _EXTRAS.get((error.name or "").partition(".")[0])
    return f"{error}: " + (f"pip install 'lerobot[{extra}]'" if extra else "see LeRobot's page of this robot")
