"""YAML files to the typed tree: finding files by name, `--set`, and errors of one line with the key's path."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, ValidationError

from deploy.errors import BadInput
from launch.config.tree import Config, ProfileConfig

PACKAGED = Path(__file__).resolve().parents[1] / "configs"
REFERENCES = {"rig": "rigs", "budget": "budgets", "profile": "profiles"}
_UNIT = re.compile(r"_(m|mm|s|ms|ns|hz|rad|deg|rad_s|rad_s2|rad_s3)$")


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
        assignments: `key.path=value` items; values are YAML.
        profile: Name or path of a latency profile that replaces the configuration's.

    Raises:
        BadInput: With one line: file, path of the key, what was found and what was expected.
    """
    path = resolve_file(name)
    tree = _read(path)
    if profile is not None:
        tree["profile"] = profile
    for assignment in assignments:
        _assign(tree, assignment, references_only=True)
    for key, folder in REFERENCES.items():
        if isinstance(tree.get(key), str):
            tree[key] = (
                {"name": "measured", "measured": True}
                if tree[key] == "measured" and key == "profile"
                else _read(_near(path, tree[key], folder))
            )
    for assignment in assignments:
        _assign(tree, assignment, references_only=False)
    return cast("Config", _validate(Config, tree, path.name))


def load_profile(name: str) -> ProfileConfig:
    """Read a latency profile by name or path."""
    path = resolve_file(name, "profiles")
    return cast("ProfileConfig", _validate(ProfileConfig, _read(path), path.name))


def to_yaml(config: BaseModel) -> str:
    """The tree as YAML that `load_config` reads back to an equal tree."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def from_yaml(text: str, origin: str) -> Config:
    """Read a resolved tree back, for example from a recording."""
    return cast("Config", _validate(Config, yaml.safe_load(text), origin))


def assign(config: Config, assignments: Sequence[str], origin: str) -> Config:
    """Apply `key.path=value` items to a resolved tree."""
    tree = config.model_dump(mode="json")
    for assignment in assignments:
        _assign(tree, assignment, references_only=False)
    return cast("Config", _validate(Config, tree, origin))


def _near(parent: Path, name: str, folder: str) -> Path:
    beside = parent.parent / name
    return beside if beside.is_file() else resolve_file(name, folder)


def _read(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not a text file ({error.reason} at byte {error.start}); expected YAML") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise BadInput(f"{path}{where}: not valid YAML: {getattr(error, 'problem', error)}") from error
    if not isinstance(tree, dict):
        raise BadInput(f"{path}: expected a mapping of keys to values, found {type(tree).__name__}")
    return tree


def _assign(tree: dict[str, Any], assignment: str, *, references_only: bool) -> None:
    key, sign, text = assignment.partition("=")
    if not sign or not key.strip():
        raise BadInput(f"--set {assignment!r}: expected key.path=value, for example detector.confidence=0.4")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadInput(f"--set {assignment!r}: the value is not valid YAML") from error
    path = key.strip().split(".")
    is_reference = len(path) == 1 and path[0] in REFERENCES and isinstance(value, str)
    if is_reference != references_only:
        return
    node: Any = tree
    for depth, part in enumerate(path[:-1]):
        here = ".".join(path[: depth + 1])
        node = _item(node, part, here) if isinstance(node, list) else node.setdefault(part, {})
        if not isinstance(node, dict | list):
            raise BadInput(f"--set {assignment!r}: {here} is a value, it has no keys below it")
    if isinstance(node, list):
        _item(node, path[-1], key)
        node[int(path[-1])] = value
    else:
        node[path[-1]] = value


def _item(items: list[Any], part: str, here: str) -> Any:
    if not part.isdigit() or int(part) >= len(items):
        raise BadInput(f"--set {here}: {part!r} is not an index below {len(items)}")
    return items[int(part)]


def _validate(model: type[BaseModel], tree: Any, origin: str) -> BaseModel:
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        problems = [_sentence(model, problem) for problem in error.errors(include_url=False)]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise BadInput(f"{origin}: {problems[0]}{more}") from error


def _sentence(model: type[BaseModel], problem: Any) -> str:
    location = [str(part) for part in problem["loc"]]
    path = ".".join(location)
    if problem["type"] == "extra_forbidden":
        return f"{path}: unknown key{_suggestion(model, location)}"
    if problem["type"] == "missing":
        return f"{path}: missing"
    message = str(problem["msg"]).removeprefix("Value error, ")
    found = problem.get("input")
    unit = _UNIT.search(location[-1]) if location else None
    if isinstance(found, str) and problem["type"].endswith("_parsing") and unit is not None:
        message = f"expected a plain number in {unit.group(1)}"
    shown = "" if isinstance(found, dict | list | BaseModel) else f", found {found!r}"
    return f"{path}: {message[:1].lower()}{message[1:]}{shown}" if path else message


def _suggestion(model: type[BaseModel], location: list[str]) -> str:
    names = list(_keys_at(model, location[:-1]))
    wrong = location[-1]
    stem = _UNIT.sub("", wrong)
    for name in names:
        if name != wrong and _UNIT.sub("", name) == stem and _UNIT.search(name):
            return f"; did you mean {name}? mind the unit"
    close = difflib.get_close_matches(wrong, names, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known here: {', '.join(names)}"


def _keys_at(model: type[BaseModel], location: list[str]) -> Iterator[str]:
    node: type[BaseModel] | None = model
    for part in location:
        if part.isdigit() or node is None:
            continue
        field = node.model_fields.get(part)
        node = _section(field.annotation) if field is not None else None
    yield from node.model_fields if node is not None else ()


def _section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _section(argument)
        if found is not None:
            return found
    return None
