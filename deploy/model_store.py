"""Where models are found: a folder per model with `model.onnx`, its passport and its card."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.errors import BadInput

MODEL_FILE = "model.onnx"
PASSPORT_FILE = "passport.json"
CARD_FILE = "README.md"


@dataclass(frozen=True, slots=True)
class Model:
    """A model in the store.

    Attributes:
        name: Its name in the configuration.
        path: Its folder.
        onnx_path: The model file.
        passport: What `passport.json` holds; empty if there is none.
        card: Text of `README.md`; empty if there is none.
    """

    name: str
    path: Path
    onnx_path: Path
    passport: dict[str, Any]
    card: str

    @property
    def sha256(self) -> str:
        """Hash of the model file, hexadecimal."""
        return file_sha256(self.onnx_path)


class ModelStore:
    """Folders that hold models, the first one first.

    Args:
        search: Folders to look in; the default is `default_search()`.
    """

    def __init__(self, search: Iterable[Path] | None = None) -> None:
        self._search = tuple(default_search() if search is None else search)

    @property
    def search(self) -> tuple[Path, ...]:
        """The folders, in the order of the search."""
        return self._search

    def names(self) -> tuple[str, ...]:
        """All models that can be found by name, sorted."""
        return tuple(sorted({file.parent.name for folder in self._search for file in folder.glob(f"*/{MODEL_FILE}")}))

    def find(self, name: str | Path) -> Model:
        """Find a model.

        Args:
            name: Name of its folder, or the path of an .onnx file.

        Raises:
            BadInput: If there is none, naming where it was looked for and what is there instead; or if its passport
                is not a JSON object, or was written for another file.
        """
        if str(name).endswith(".onnx"):
            file = Path(name).expanduser()
            if not file.is_file():
                raise BadInput(f"model file {file} does not exist (working directory {Path.cwd()}): check the path")
            return _load(file.stem if file.name != MODEL_FILE else file.resolve().parent.name, file)
        if len(Path(name).parts) != 1 or str(name) in ("", ".", ".."):
            raise BadInput(f"model {str(name)!r}: expected the name of a model, or the path of an .onnx file")
        for folder in self._search:
            file = folder / name / MODEL_FILE
            if file.is_file():
                return _load(str(name), file)
        raise BadInput(
            f"model {str(name)!r} not found: no {name}/{MODEL_FILE} in {', '.join(map(str, self._search))}; "
            f"there are {', '.join(self.names()) or 'no models'}"
        )


def default_search() -> list[Path]:
    """`./models`, the user's data folder (`$XDG_DATA_HOME/eyehand/models`), then the models that are packaged."""
    data = os.environ.get("XDG_DATA_HOME") or Path("~/.local/share").expanduser()
    return [Path("models"), Path(data) / "eyehand" / "models", Path(__file__).resolve().parent / "models"]


def file_sha256(path: Path) -> str:
    """Hash of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _load(name: str, onnx_path: Path) -> Model:
    folder = onnx_path.parent
    passport, card = folder / PASSPORT_FILE, folder / CARD_FILE
    return Model(
        name=name,
        path=folder,
        onnx_path=onnx_path,
        passport=_read_passport(passport, onnx_path) if passport.is_file() else {},
        card=card.read_text(encoding="utf-8") if card.is_file() else "",
    )


def _read_passport(path: Path, onnx_path: Path) -> dict[str, Any]:
    try:
        passport = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"passport {path} is not JSON ({error}): write it again") from error
    if not isinstance(passport, dict):
        raise BadInput(f"passport {path} holds a {type(passport).__name__}: expected a JSON object")
    declared, found = passport.get("sha256"), file_sha256(onnx_path)
    if declared not in (None, found):
        raise BadInput(
            f"passport {path} is of a model with sha256 {declared}, {onnx_path} has {found}: "
            "one of them was replaced without the other; package the model again"
        )
    return passport
