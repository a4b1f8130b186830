"""Cameras of the rig to open sources: what the rig says of a camera goes to its source, or is refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

from deploy.errors import BadInput
from launch import plugins
from launch.config.rig import CameraConfig, RigConfig
from perception.source import Source

SIMULATED: Final = "sim"
# what a source may call the rig's figures
_RATE, _LATENCY, _INTRINSICS = ("rate_hz", "fps"), ("latency_s",), ("intrinsics",)
# what the simulated cell hands to its cameras and its arm
_CELL: Final = {
    "world": "the simulated cell", "renderer": "the simulated cell", "rate_hz": "the camera's rate_hz in the rig",
}  # fmt: skip


def open_source(camera: CameraConfig, clock: Callable[[], int]) -> Source:
    """Open a camera of the rig by the registered name of its source, on the run clock if it stamps frames itself.

    Raises:
        BadInput: If the source does not take what the rig says.
    """
    factory = plugins.load("sources", camera.source.type, _where(camera, "source.type"))
    source: Source = factory(**source_options(camera, factory, clock=clock))
    return source


def source_options(camera: CameraConfig, factory: Any, **given: Any) -> dict[str, Any]:
    """Keyword arguments for a camera's source, checked against what it takes; nothing is opened.

    Args:
        camera: The camera of the rig.
        factory: What its source is made by.
        given: What the run itself has to give, where the source takes it; an option of the user's wins.

    Raises:
        BadInput: If the source does not take an option, or a figure that the rig was given for this camera.
    """
    takes = inspect.signature(factory).parameters
    where = _where(camera, "source.options")
    plugins.refuse(camera.source.options, {"name": "the camera's name in the rig"}, where)
    options: dict[str, Any] = {"name": camera.name, **camera.source.options}
    for key, value in given.items():
        if key in takes:
            options.setdefault(key, value)
    if "rate_hz" in camera.model_fields_set:
        _hand_over(camera, "rate_hz", camera.rate_hz, _RATE, takes, options)
    if camera.latency_ms:
        _hand_over(camera, "latency_ms", camera.latency_ms * 1e-3, _LATENCY, takes, options)
    if camera.intrinsics is not None:
        _hand_over(camera, "intrinsics", camera.intrinsics.camera(), _INTRINSICS, takes, options)
    plugins.check_options(factory, camera.source.type, where, options)
    return options


def check_simulated(rig: RigConfig) -> None:
    """See that a simulated arm has simulated cameras only: others would show it another world.

    Raises:
        BadInput: Naming the camera.
    """
    for index, camera in enumerate(rig.cameras):
        if camera.source.type != SIMULATED:
            raise BadInput(
                f"rig.cameras.{index}.source.type: camera {camera.name} is {camera.source.type!r} but the arm is "
                f"simulated; a simulated arm needs simulated cameras: {SIMULATED!r}"
            )
        plugins.refuse(camera.source.options, _CELL, _where(camera, "source.options"))
    if rig.arm is not None:
        plugins.refuse(rig.arm.options, {**_CELL, "rate_hz": "rig.arm.rate_hz"}, "rig.arm.options")


def _hand_over(
    camera: CameraConfig, key: str, value: Any, names: tuple[str, ...], takes: Any, options: dict[str, Any]
) -> None:
    """Give a figure of the rig to the source under the name that the source has for it."""
    name = next((name for name in names if name in takes), None)
    if name is None:
        raise BadInput(f"{_where(camera, key)}: source {camera.source.type} takes none, it has its own; leave it out")
    if name in camera.source.options:
        raise BadInput(f"{_where(camera, key)}: stands in source.options.{name} too; give one of them")
    if takes[name].annotation in (int, "int"):
        if not float(value).is_integer():
            raise BadInput(f"{_where(camera, key)}: source {camera.source.type} takes whole numbers, found {value:g}")
        value = int(value)
    options[name] = value


def _where(camera: CameraConfig, key: str) -> str:
    return f"camera {camera.name}: {key}"
