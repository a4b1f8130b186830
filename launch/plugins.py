"""Sources, detectors, backends, policies and arms by their registered names, ours and those of a user's package."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any

from deploy.errors import BadInput

KINDS = {"sources": "source", "detectors": "detector", "backends": "backend", "policies": "policy", "arms": "arm"}


def names(kind: str) -> list[str]:
    """Registered names of one kind (`eyehand.<kind>` entry points)."""
    return sorted({entry.name for entry in entry_points(group=f"eyehand.{kind}")})


def load(kind: str, name: str, key: str = "") -> Any:
    """Import what a name stands for.

    Args:
        kind: One of `KINDS`.
        name: Name in the configuration.
        key: Where it stands there, for the message.

    Raises:
        BadInput: If no installed package registers the name, listing those that are.
    """
    for entry in entry_points(group=f"eyehand.{kind}"):
        if entry.name == name:
            return entry.load()
    where = f"{key}: " if key else ""
    raise BadInput(f"{where}{KINDS[kind]} {name!r} is not registered; installed: {', '.join(names(kind)) or 'none'}")


def target(kind: str, name: str, key: str = "") -> str:
    """What a name stands for, as `module:attribute`, for a process that imports it itself.

    Raises:
        BadInput: As `load`.
    """
    load(kind, name, key)
    return next(entry.value for entry in entry_points(group=f"eyehand.{kind}") if entry.name == name)


def build(kind: str, name: str, where: str, /, **options: Any) -> Any:
    """Call what a name stands for with options from the configuration.

    Raises:
        BadInput: If it does not take one of the options, naming where that stands.
    """
    factory = load(kind, name)
    check_options(factory, name, where, options)
    return factory(**options)


def check_options(factory: Any, name: str, where: str, options: Mapping[str, Any]) -> None:
    """See whether a factory takes these options, without calling it.

    Raises:
        BadInput: If it does not, naming the option, where it stands and what there is.
    """
    signature = inspect.signature(factory)
    takes = signature.parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values()):
        for option in options:
            if option not in takes:
                raise BadInput(f"{where}.{option}: {name} takes no such option; it takes {', '.join(takes)}")
    try:
        signature.bind(**options)
    except TypeError as error:
        raise BadInput(f"{where}: {name} cannot be made from these options: {error}") from error


def refuse(options: Iterable[str], reserved: Mapping[str, str], where: str) -> None:
    """Refuse options that are not the user's to give.

    Args:
        options: Names of the options.
        reserved: What each of those that are taken is set by.
        where: Where the options stand.

    Raises:
        BadInput: If one of them is among the options.
    """
    for option in options:
        if option in reserved:
            raise BadInput(f"{where}.{option}: is set by {reserved[option]}; leave it out")
