"""Policies by their registered names: options as they stand in a configuration file, to a policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from deploy.errors import BadInput
from policy.expert import ScriptedExpert
from policy.expert_parameters import ExpertParameters


def make_expert(bin_in_base_m: Sequence[float] | None = None, **options: Any) -> ScriptedExpert:
    """Make the scripted expert.

    Args:
        bin_in_base_m: Place of the bin in the controller's base [m].
        options: Fields of `ExpertParameters`.

    Raises:
        BadInput: If an option is not one of them, or cannot be used.
    """
    known = {field.name for field in fields(ExpertParameters)}
    unknown = sorted(set(options) - known)
    if unknown:
        raise BadInput(f"policy.options.{unknown[0]}: unknown to the expert; it knows {', '.join(sorted(known))}")
    values = {name: _frozen(value) for name, value in options.items()}
    if bin_in_base_m is not None:
        values.setdefault("bin_m", (float(bin_in_base_m[0]), float(bin_in_base_m[1])))
    try:
        return ScriptedExpert(replace(ExpertParameters(), **values))
    except TypeError as error:
        raise BadInput(f"policy.options: a value of the expert has the wrong type: {error}") from error


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value
