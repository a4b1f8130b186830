"""Where models are found: a folder per model with `model.onnx`, its passport and its card."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.artifacts import MODEL_FILE, precision_of
from deploy.errors import BadInput
from deploy.passport import file_sha256, passport_path
from deploy.policy_passport import AnyPassport, read_passport

__all__ = ["CARD_FILE", "MODEL_FILE", "Model", "ModelStore", "default_search"]

CARD_FILE = "README.md"
_ARTIFACTS = ("model.*.onnx", "model.*.engine")


@dataclass(frozen=True, slots=True)
class Model:
    """A model in the store.

    Attributes:
        name: Its name in the configuration.
        path: Its folder.
        onnx_path: The model file, in float.
        passport: Its passport; None if there is none.
        card: Text of `README.md`; empty if there is none.
        artifacts: Files made from it, by their names: `model.int8-u8.onnx`, `model.fp16.engine`, ... They may lie in
            another folder of that name in the store: an engine that was built for a packaged model, for example. Of
            several the first in the order of the search counts: what a user made of a packaged model, before what is
            packaged.
    """

    name: str
    path: Path
    onnx_path: Path
    passport: AnyPassport | None
    card: str
    artifacts: Mapping[str, Path] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Hash of the model file, hexadecimal."""
        return file_sha256(self.onnx_path)

    def artifact(self, file: str) -> tuple[Path, AnyPassport | None]:
        """A file made from this model, or the model file itself, with its passport.

        Args:
            file: Name of the file.

        Returns:
            Its path, and its passport; None only for a model file that came without one.

        Raises:
            BadInput: If it is not there, has no passport, or one of another file, of an artifact of another model or
                of another precision than its name says.
        """
        if file == self.onnx_path.name:
            return self.onnx_path, self.passport
        if file not in self.artifacts:
            there = ", ".join((self.onnx_path.name, *sorted(self.artifacts)))
            how = "eyehand build" if file.endswith(".engine") else "eyehand quantize"
            raise BadInput(f"model {self.name} has no {file}, it has {there}: make it with {how} {self.name}")
        path = self.artifacts[file]
        passport = _read_passport(path)
        if passport is None:
            raise BadInput(f"{path} has no passport {passport_path(path).name} beside it: make it again")
        if passport.source.get("sha256") not in (None, self.sha256):
            raise BadInput(f"{path} was made from another model than {self.onnx_path}: make it again")
        if precision_of(file) not in (passport.precision, passport.precision.split("-")[0]):
            raise BadInput(f"{path} is {passport.precision} by its passport: give the file its own name back")
        return path, passport


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
        """All models that can be found by name, sorted; a hidden folder is somebody's unfinished work, and no model."""
        files = (file for folder in self._search for file in folder.glob(f"*/{MODEL_FILE}"))
        return tuple(sorted({file.parent.name for file in files if not file.parent.name.startswith(".")}))

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
        if len(Path(name).parts) != 1 or not str(name) or str(name).startswith("."):
            raise BadInput(f"model {str(name)!r}: expected the name of a model, or the path of an .onnx file")
        for folder in self._search:
            file = folder / name / MODEL_FILE
            if file.is_file():
                return _load(str(name), file, [place / name for place in self._search])
        raise BadInput(
            f"model {str(name)!r} not found: no {name}/{MODEL_FILE} in {', '.join(map(str, self._search))}; "
            f"there are {', '.join(self.names()) or 'no models'}"
        )


def default_search() -> list[Path]:
    """`./models`, the user's data folder (`$XDG_DATA_HOME/eyehand/models`), then the models that are packaged."""
    data = os.environ.get("XDG_DATA_HOME") or Path("~/.local/share").expanduser()
    return [Path("models"), Path(data) / "eyehand" / "models", Path(__file__).resolve().parent / "models"]


def _load(name: str, onnx_path: Path, folders: Iterable[Path] = ()) -> Model:
    card = onnx_path.parent / CARD_FILE
    artifacts: dict[str, Path] = {}
    if onnx_path.name == MODEL_FILE:
        for folder in tuple(folders) or (onnx_path.parent,):
            for pattern in _ARTIFACTS:
                for file in folder.glob(pattern):
                    if file.name not in artifacts and (folder == onnx_path.parent or not _is_anothers(file, onnx_path)):
                        artifacts[file.name] = file
    return Model(
        name=name,
        path=onnx_path.parent,
        onnx_path=onnx_path,
        passport=_read_passport(onnx_path),
        card=card.read_text(encoding="utf-8") if card.is_file() else "",
        artifacts=artifacts,
    )


def _is_anothers(artifact: Path, onnx_path: Path) -> bool:
    """Whether an artifact in another folder of the name was made from another model; if nobody knows, it was not."""
    try:
        source = read_passport(passport_path(artifact)).source.get("sha256")
    except BadInput:
        return False
    return source not in (None, file_sha256(onnx_path))


def _read_passport(artifact: Path) -> AnyPassport | None:
    path = passport_path(artifact)
    if not path.is_file():
        return None
    passport = read_passport(path)
    passport.check_file(artifact)
    return passport
