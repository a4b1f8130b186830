"""YAML text to plain values, with mistakes as one line."""

from __future__ import annotations

from typing import Any

import yaml

from deploy.errors import BadInput


class _OnceLoader(yaml.SafeLoader):
    """Safe YAML in which a key stands once: the last of two would win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping, refusing a key that stands twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"key {key.value!r} stands twice", problem_mark=key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse_value(text: str) -> Any:
    """Read any YAML value.

    Raises:
        ValueError: If it is none, with place and reason on one line.
    """
    try:
        return yaml.load(text, Loader=_OnceLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        reason = getattr(error, "problem", None) or str(error)
        raise ValueError(where + " ".join(reason.split())) from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def parse_tree(text: str, origin: str) -> dict[str, Any]:
    """Read a YAML document whose top is a mapping.

    Args:
        text: The document.
        origin: Where it comes from, for the message.

    Raises:
        BadInput: If it is not YAML, or not a mapping.
    """
    try:
        tree = parse_value(text)
    except ValueError as error:
        raise BadInput(f"{origin}: not valid YAML: {error}") from error
    if not isinstance(tree, dict):
        found = "nothing" if tree is None else f"a {type(tree).__name__}"
        raise BadInput(f"{origin}: expected a mapping of keys to values, found {found}")
    return tree
