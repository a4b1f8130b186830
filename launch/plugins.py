"""Sources, detectors, backends, policies and arms by their registered names, ours and those of a user's package."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from deploy.errors import BadInput

KINDS = ("sources", "detectors", "backends", "policies", "arms")


def names(kind: str) -> list[str]:
    """Registered names of one kind (`eyehand.<kind>` entry points)."""
    return sorted({entry.name for entry in entry_points(group=f"eyehand.{kind}")})


def load(kind: str, name: str) -> Any:
    """Import what a name stands for.

    Args:
        kind: One of `KINDS`.
        name: Name in the configuration.

    Raises:
        BadInput: If no installed package registers the name, listing those that are.
    """
    for entry in entry_points(group=f"eyehand.{kind}"):
        if entry.name == name:
            return entry.load()
    raise BadInput(f"{kind.rstrip('s')} {name!r} is not registered; installed: {', '.join(names(kind)) or 'none'}")


def build(kind: str, name: str, where: str, /, **options: Any) -> Any:
    """Call what a name stands for with options from the configuration.

    Raises:
        BadInput: If it does not take one of the options, naming where that stands.
    """
    factory = load(kind, name)
    try:
        return factory(**options)
    except TypeError as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:  # the call itself, not its body
            raise BadInput(f"{where}: {name} does not take these options: {error}") from error
        raise
