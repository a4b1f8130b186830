"""YAML files to the typed tree: finding files by name, `--set`, and errors of one line with the key's path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from deploy.errors import BadInput
from launch.config.profile import ProfileConfig
from launch.config.sentences import first_problem
from launch.config.text import parse_tree, parse_value
from launch.config.tree import Config

PACKAGED = Path(__file__).resolve().parents[1] / "configs"
REFERENCES = {"rig": "rigs", "budget": "budgets", "profile": "profiles"}
MEASURED = "measured"
WIDTH = 110
_Model = TypeVar("_Model", bound=BaseModel)


def resolve_file(name: str, folder: str = "") -> Path:
    """Find a configuration file by path or name: the current directory first, then the packaged ones.

    Raises:
        BadInput: If it is nowhere, listing the packaged names.
    """
    packaged = PACKAGED / folder
    candidates = [Path(name), Path(f"{name}.yaml"), packaged / name, packaged / f"{name}.yaml"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    known = ", ".join(sorted(path.stem for path in packaged.glob("*.yaml")))
    kind = folder.rstrip("s") or "configuration"
    raise BadInput(f"{kind} {name!r} not found here or among the packaged ones: {known}")


def load_config(name: str, assignments: Sequence[str] = (), profile: str | None = None) -> Config:
    """Read a configuration, follow its references to rig, budget and profile, apply assignments, validate.

    Args:
        name: Path or packaged name.
        assignments: `key.path=value` items; values are YAML. Later ones win.
        profile: Name or path of a latency profile that replaces the configuration's; an assignment wins over it.

    Raises:
        BadInput: With one line: file, path of the key, what was expected and what was found.
    """
    path = resolve_file(name)
    tree = _read(path)
    if profile is not None:
        tree["profile"] = profile
    return _finish(tree, assignments, path.name, path.parent)


def load_profile(name: str) -> ProfileConfig:
    """Read a latency profile by name or path."""
    path = resolve_file(name, "profiles")
    return _validate(ProfileConfig, _read(path), lambda _: f"{path.name}: ")


def to_yaml(config: BaseModel) -> str:
    """The tree as YAML that `from_yaml` reads back to an equal tree."""
    tree = config.model_dump(mode="json")
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)


def from_yaml(text: str, origin: str) -> Config:
    """Read a resolved tree back, for example from a recording.

    Raises:
        BadInput: If it is none, naming `origin`.
    """
    return _validate(Config, parse_tree(text, origin), lambda _: f"{origin}: ")


def assign(config: Config, assignments: Sequence[str], origin: str) -> Config:
    """Apply `key.path=value` items to a resolved tree.

    Raises:
        BadInput: As `load_config`.
    """
    return _finish(config.model_dump(mode="json"), assignments, origin, Path())


def _finish(tree: dict[str, Any], assignments: Sequence[str], origin: str, folder: Path) -> Config:
    """Replace names of files by what they hold, then apply the assignments, which may go into them."""
    for assignment in assignments:
        _assign(tree, assignment, references_only=True)
    files: dict[str, str] = {}
    for key, kind in REFERENCES.items():
        name = tree.get(key)
        if key == "profile" and name == MEASURED:
            tree[key] = {"name": MEASURED, "measured": True}
        elif isinstance(name, str):
            path = _near(folder, name, kind)
            files[key] = path.name
            tree[key] = _read(path)
    applied = [assignment for assignment in assignments if _assign(tree, assignment, references_only=False)]

    def where(path: str) -> str:
        file = files.get(path.partition(".")[0], origin)
        for assignment in reversed(applied):
            key = assignment.partition("=")[0].strip()
            if f"{path}.".startswith(f"{key}."):
                return "--set "
            if f"{key}.".startswith(f"{path}."):
                return f"{file} with --set {assignment}: "
        return f"{file}: "

    return _validate(Config, tree, where)


def _validate(model: type[_Model], tree: dict[str, Any], where: Callable[[str], str]) -> _Model:
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        path, sentence = first_problem(model, tree, error)
        raise BadInput(f"{where(path)}{sentence}") from error


def _near(folder: Path, name: str, kind: str) -> Path:
    for beside in (folder / name, folder / f"{name}.yaml"):
        if beside.is_file():
            return beside
    return resolve_file(name, kind)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not a text file ({error.reason} at byte {error.start}); expected YAML") from error
    return parse_tree(text, str(path))


def _assign(tree: dict[str, Any], assignment: str, *, references_only: bool) -> bool:
    """Apply one assignment if it is of the wanted sort; say whether it was."""
    key, sign, text = assignment.partition("=")
    path = key.strip().split(".")
    if not sign or not all(path):
        raise BadInput(f"--set {assignment!r}: expected key.path=value, for example detector.confidence=0.4")
    try:
        value = parse_value(text)
    except ValueError as error:
        raise BadInput(f"--set {assignment!r}: the value is not valid YAML: {error}") from error
    is_reference = len(path) == 1 and path[0] in REFERENCES and isinstance(value, str)
    if is_reference != references_only:
        return False
    node: Any = tree
    for depth, part in enumerate(path):
        here = ".".join(path[:depth])
        if not isinstance(node, dict | list):
            raise BadInput(f"--set {assignment!r}: {here} is a value, it has no keys below it")
        if isinstance(node, list) and not (part.isdecimal() and int(part) < len(node)):
            raise BadInput(f"--set {assignment!r}: expected an index below {len(node)} after {here}, found {part!r}")
        place: Any = int(part) if isinstance(node, list) else part
        if depth == len(path) - 1:
            node[place] = value
        elif isinstance(node, dict) and node.get(part) is None:
            node[part] = {}
        node = node[place]
    return True


class _Dumper(yaml.SafeDumper):
    """YAML in which numbers stand in a row: the quantiles of a profile would fill the page."""


def _list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    in_a_row = all(isinstance(value, int | float) for value in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=in_a_row)


_Dumper.add_representer(list, _list)
