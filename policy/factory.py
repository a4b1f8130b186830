"""Policies by their registered names: options as they stand in a configuration file, to a policy."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any, get_args, get_origin, get_type_hints

from deploy.errors import BadInput
from policy.expert import ScriptedExpert
from policy.expert_parameters import ExpertParameters, Point3

_SHOWN = 60


def make_expert(**options: Any) -> ScriptedExpert:
    """Make the scripted expert.

    Args:
        options: Fields of `ExpertParameters`; and `bin_in_base_m`, the place of the bin in the controller's base [m].

    Raises:
        BadInput: If an option is not one of them, or cannot be used.
    """
    kinds = get_type_hints(ExpertParameters)
    known = {field.name: kinds[field.name] for field in fields(ExpertParameters)}
    place = options.pop("bin_in_base_m", None)
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise BadInput(f"policy.options.{unknown[0]}: unknown to the expert; it knows {', '.join(sorted(known))}")
    values = {name: _option(name, value, known[name]) for name, value in options.items()}
    if place is not None:
        values.setdefault("bin_m", _option("bin_in_base_m", place, Point3)[:2])
    return ScriptedExpert(replace(ExpertParameters(), **values))


def _option(name: str, value: Any, kind: Any) -> Any:
    try:
        return _read(value, kind)
    except TypeError:
        text = repr(value) if len(repr(value)) <= _SHOWN else f"{repr(value)[:_SHOWN]}..."
        raise BadInput(f"policy.options.{name}: expected {_describe(kind)}, found {text}") from None


def _read(value: Any, kind: Any) -> Any:
    """A value as YAML gives it, as the annotated type of a field.

    Raises:
        TypeError: If it is of another type or shape, or not finite.
    """
    if get_origin(kind) is tuple:
        items = get_args(kind)
        if not isinstance(value, list | tuple):
            raise TypeError
        if items[-1] is Ellipsis:
            return tuple(_read(item, items[0]) for item in value)
        if len(value) != len(items):
            raise TypeError
        return tuple(_read(item, item_kind) for item, item_kind in zip(value, items, strict=True))
    if isinstance(value, str) and kind is float:
        try:
            value = float(value)  # YAML reads 1e-3, which lacks a point, as text
        except ValueError:
            raise TypeError from None
    accepted = (int,) if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, accepted) or not math.isfinite(value):
        raise TypeError
    return kind(value)


def _describe(kind: Any) -> str:
    if get_origin(kind) is not tuple:
        return "a whole number" if kind is int else "a number"
    items = get_args(kind)
    if items[-1] is Ellipsis:
        return f"a list of items, each {_describe(items[0])}"
    return f"{len(items)} numbers"
