"""ModelStore: which file a name means, and what is said when there is none."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from deploy.errors import BadInput
from deploy.model_store import ModelStore, default_search


def _model(folder: Path, name: str, content: bytes = b"onnx", passport: str | None = None, card: str = "") -> Path:
    path = folder / name
    path.mkdir(parents=True)
    (path / "model.onnx").write_bytes(content)
    if passport is not None:
        (path / "passport.json").write_text(passport)
    if card:
        (path / "README.md").write_text(card)
    return path / "model.onnx"


def test_the_first_folder_wins(tmp_path: Path) -> None:
    mine = _model(tmp_path / "mine", "cube", b"mine")
    _model(tmp_path / "packaged", "cube", b"packaged")
    _model(tmp_path / "packaged", "other")
    store = ModelStore([tmp_path / "absent", tmp_path / "mine", tmp_path / "packaged"])
    model = store.find("cube")
    assert model.onnx_path == mine
    assert model.path == mine.parent
    assert (model.name, model.passport, model.card) == ("cube", {}, "")
    assert model.sha256 == hashlib.sha256(b"mine").hexdigest()
    assert store.names() == ("cube", "other")


def test_passport_and_card_come_with_it(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"onnx").hexdigest()
    _model(tmp_path, "cube", passport=json.dumps({"sha256": digest, "map50": 0.9}), card="# Cube\n")
    model = ModelStore([tmp_path]).find("cube")
    assert model.passport == {"sha256": digest, "map50": 0.9}
    assert model.card == "# Cube\n"


@pytest.mark.parametrize(("file", "name"), [("model.onnx", "cube"), ("yolo11n.onnx", "yolo11n")])
def test_a_path_is_taken_as_it_is(tmp_path: Path, file: str, name: str) -> None:
    path = _model(tmp_path, "cube")
    path = path.rename(path.with_name(file))
    model = ModelStore([]).find(path)
    assert (model.name, model.onnx_path, model.path) == (name, path, path.parent)
    assert ModelStore([]).find(str(path)) == model


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cubes", "model 'cubes' not found.*there are cube"),
        ("nowhere/model.onnx", "nowhere/model.onnx does not exist"),
        ("a/b", "model 'a/b': expected the name"),
        ("../cube", "expected the name"),
        ("", "expected the name"),
        ("..", "expected the name"),
    ],
)
def test_what_is_not_there_is_named(tmp_path: Path, name: str, words: str) -> None:
    _model(tmp_path, "cube")
    with pytest.raises(BadInput, match=words):
        ModelStore([tmp_path]).find(name)


def test_an_empty_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"no cube/model.onnx in {tmp_path}; there are no models"):
        ModelStore([tmp_path]).find("cube")


@pytest.mark.parametrize(
    ("passport", "words"),
    [("{", "is not JSON"), ("[1]", "holds a list"), ('{"sha256": "00"}', "sha256 00.*was replaced")],
)
def test_a_passport_that_is_wrong_is_refused(tmp_path: Path, passport: str, words: str) -> None:
    _model(tmp_path, "cube", passport=passport)
    with pytest.raises(BadInput, match=words):
        ModelStore([tmp_path]).find("cube")


def test_default_search_is_here_then_the_user_then_packaged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    here, user, packaged = default_search()
    assert here == Path("models")
    assert user == tmp_path / "eyehand" / "models"
    assert packaged.parts[-2:] == ("deploy", "models")
    assert ModelStore().search == (here, user, packaged)
