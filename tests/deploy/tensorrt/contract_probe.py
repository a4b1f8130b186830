"""What a real module offers, as JSON: run in a process of its own, as `contract_probe.py MODULE LIBRARY...`.

Every class of the module with its members, and for each what its documentation says of arguments and result, is written
to the standard output. The module itself must be on `PYTHONPATH`.
"""

from __future__ import annotations

import ctypes
import importlib
import inspect
import json
import re
import sys
from typing import Any

_SIGNATURE = re.compile(r"^(?:\d+\. )?\w*(\(.*\)) -> (.+)$")


def describe(module: Any) -> dict[str, Any]:
    """Members by dotted name."""
    found: dict[str, Any] = {}
    for name in dir(module):
        thing = getattr(module, name)
        found[name] = entry(thing)
        if isinstance(thing, type) and not name.startswith("_"):
            _members(name, thing, found)
    return found


def _members(prefix: str, owner: type, found: dict[str, Any]) -> None:
    for name in dir(owner):
        thing = getattr(owner, name, None)
        found[f"{prefix}.{name}"] = entry(thing)
        if isinstance(thing, type) and not name.startswith("_") and prefix.count(".") < 1:
            _members(f"{prefix}.{name}", thing, found)


def entry(thing: Any) -> dict[str, Any]:
    """Kind, signatures of the documentation, and the number of what has one."""
    getter = getattr(thing, "fget", None)
    text = (getattr(getter, "__doc__", None) if getter else getattr(thing, "__doc__", None)) or ""
    value: dict[str, Any] = {"kind": "type" if isinstance(thing, type) else type(thing).__name__}
    signatures = [match.groups() for line in text.splitlines() if (match := _SIGNATURE.match(line.strip()))]
    routine = getter is not None or (callable(thing) and not isinstance(thing, type))
    if signatures and routine:
        value["signatures"] = [{"arguments": split(a), "result": result} for a, result in signatures]
    elif routine and text:
        head = text.strip().splitlines()[0]
        if head.endswith(")") and "(" in head:  # Cython's documentation: name and arguments, no result
            value["signatures"] = [{"arguments": split(head[head.index("(") :]), "result": ""}]
    if not isinstance(thing, type) and hasattr(type(thing), "__int__") and not inspect.isroutine(thing):
        value["number"] = int(thing)
    return value


def split(text: str) -> list[str]:
    """Arguments between brackets, at commas that are in no bracket."""
    parts, depth, current = [], 0, ""
    for sign in text.strip()[1:-1]:
        depth += (sign in "([{<") - (sign in ")]}>")
        if sign == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += sign
    return [part for part in [*parts, current.strip()] if part]


if __name__ == "__main__":
    for path in sys.argv[2:]:
        ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
    json.dump(describe(importlib.import_module(sys.argv[1])), sys.stdout)
