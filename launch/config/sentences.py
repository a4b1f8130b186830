"""What pydantic found wrong, as one line: path of the key, what was expected, what was found."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError

_UNIT = re.compile(r"_(m|mm|s|ms|ns|hz|rad|deg|rad_s|rad_s2|rad_s3)$")
_UNIT_NAMES = {
    "m": "metres", "mm": "millimetres", "s": "seconds", "ms": "milliseconds", "ns": "nanoseconds", "hz": "hertz",
    "rad": "radians", "deg": "degrees", "rad_s": "rad/s", "rad_s2": "rad/s^2", "rad_s3": "rad/s^3",
}  # fmt: skip
_LIMITS = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_KINDS = {"bool": "true or false", "string": "text", "tuple": "a list", "list": "a list", "dict": "keys with values"}
_SHOWN = 60


class WrongAtKey(ValueError):
    """What a section finds wrong at one of its keys when it looks at several together.

    Args:
        key: Dotted path of the key, below the section.
        sentence: What is wrong with it.
    """

    def __init__(self, key: str, sentence: str) -> None:
        super().__init__(sentence)
        self.key = key


def first_problem(model: type[BaseModel], tree: Any, error: ValidationError) -> tuple[str, str]:
    """Describe the first mistake in a tree.

    Args:
        model: What the tree was validated as.
        tree: The tree.
        error: What pydantic found.

    Returns:
        Dotted path of the key that is wrong, empty for the tree as a whole; and the sentence, which starts with it.
    """
    problems: dict[str, list[Any]] = {}
    for problem in error.errors(include_url=False):
        problems.setdefault(".".join(_path(tree, problem)), []).append(problem)
    for path in list(problems):
        # A list with a wrong item is reported once more, as too short by that item.
        if any(other.startswith(f"{path}.") for other in problems):
            problems[path] = [problem for problem in problems[path] if problem["type"] != "too_short"]
    paths = [path for path in problems if problems[path]]
    path = paths[0]
    more = f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""
    sentence = _sentence(model, path.split(".") if path else [], problems[path])
    return path, (f"{path}: {sentence}" if path else sentence) + more


def _path(tree: Any, problem: Any) -> list[str]:
    """The keys of a problem's place that are the user's: pydantic adds the branches of unions and marks of its own."""
    path: list[str] = []
    node = tree
    for part in problem["loc"]:
        there = part in node if isinstance(node, dict) else isinstance(node, list) and part in range(len(node))
        if there:
            node = node[part]
        elif problem["type"] == "missing" and isinstance(node, dict):
            return [*path, str(part)]
        else:
            break
        path.append(str(part))
    error = problem.get("ctx", {}).get("error")
    return [*path, *error.key.split(".")] if isinstance(error, WrongAtKey) else path


def _sentence(model: type[BaseModel], path: Sequence[str], problems: Sequence[Any]) -> str:
    problem = problems[0]
    if problem["type"] == "extra_forbidden":
        return f"unknown key{_suggestion(model, path)}"
    if problem["type"] == "missing" and not isinstance(problem["loc"][-1], int):
        return "missing"
    if problem["type"] == "missing":  # the places of a list of fixed length are missing one by one
        most, least = max(p["loc"][-1] for p in problems) + 1, min(p["loc"][-1] for p in problems)
        return f"expected {most} values, found {least}"
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    expected = " or ".join(dict.fromkeys(_expected(model, path, p) for p in problems))
    return f"expected {expected}, found {_found(problem)}"


def _expected(model: type[BaseModel], path: Sequence[str], problem: Any) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind in _LIMITS:
        limit = _LIMITS[kind]
        return f"{_SIGNS[limit]} {context[limit]:g}{_in_unit(path)}"
    if kind in ("too_long", "too_short"):
        least = context.get("min_length")
        return f"{context['max_length']} values" if least is None else f"at least {least} value{'s' * (least != 1)}"
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "string_pattern_mismatch":
        return f"text that matches {context['pattern']}"
    if kind in ("model_type", "model_attributes_type"):
        return f"keys with values: {', '.join(_keys_at(model, path))}"
    if kind.startswith("int_"):
        return "a whole number" + _in_unit(path)
    if kind.startswith("float_"):
        return "a plain number" + _in_unit(path)
    if kind == "finite_number":
        return "a finite number" + _in_unit(path)
    message = str(problem["msg"])
    return _KINDS.get(kind.partition("_")[0]) or message[:1].lower() + message[1:]


def _in_unit(path: Sequence[str]) -> str:
    names = [part for part in path if not part.isdecimal()]
    # The keys below stages_ms and size_m are names; the unit is their parent's.
    for name in reversed(names[-2:]):
        unit = _UNIT.search(name)
        if unit is not None:
            return f" in {_UNIT_NAMES[unit.group(1)]}"
    return ""


def _found(problem: Any) -> str:
    value = problem["input"]
    if problem["type"] in ("too_long", "too_short"):
        return str(problem["ctx"]["actual_length"])
    if isinstance(value, dict):
        return "keys with values"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if value is None:
        return "nothing"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _suggestion(model: type[BaseModel], path: Sequence[str]) -> str:
    names = list(_keys_at(model, path[:-1]))
    wrong = path[-1]
    stem = _UNIT.sub("", wrong)
    for name in names:
        if name != wrong and _UNIT.sub("", name) == stem and _UNIT.search(name):
            return f"; did you mean {name}? mind the unit"
    close = difflib.get_close_matches(wrong, names, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known here: {', '.join(names)}"


def _keys_at(model: type[BaseModel], path: Sequence[str]) -> Iterator[str]:
    node: type[BaseModel] | None = model
    is_item = False
    for part in path:
        if is_item or node is None:  # an index, or a name that the user chose
            is_item = False
            continue
        field = node.model_fields.get(part)
        node = _section(field.annotation) if field is not None else None
        is_item = field is not None and get_origin(field.annotation) in (dict, tuple)
    yield from node.model_fields if node is not None else ()


def _section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _section(argument)
        if found is not None:
            return found
    return None
