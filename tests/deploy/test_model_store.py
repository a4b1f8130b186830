"""ModelStore: which file a name means, what was made from it, and what is said when there is none."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import BadInput
from deploy.model_store import ModelStore, default_search
from deploy.passport import Passport, passport_path


def _model(folder: Path, name: str, content: bytes = b"onnx", *, passport: bool = False, card: str = "") -> Path:
    path = folder / name
    path.mkdir(parents=True)
    (path / "model.onnx").write_bytes(content)
    if passport:
        _passport(path / "model.onnx")
    if card:
        (path / "README.md").write_text(card)
    return path / "model.onnx"


def _passport(artifact: Path, **fields: Any) -> Passport:
    content = artifact.read_bytes()
    return Passport(
        name="cube", sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content), classes=("red_cube",),
        input="1x3x256x320", letterbox="center-114", color_order="RGB", scale="1/255", layout="yolo-raw-cxcywh",
        **fields,
    ).write(passport_path(artifact))  # fmt: skip


def test_the_first_folder_wins(tmp_path: Path) -> None:
    mine = _model(tmp_path / "mine", "cube", b"mine")
    _model(tmp_path / "packaged", "cube", b"packaged")
    _model(tmp_path / "packaged", "other")
    _model(tmp_path / "mine", ".cube-x1")  # being made
    store = ModelStore([tmp_path / "absent", tmp_path / "mine", tmp_path / "packaged"])
    model = store.find("cube")
    assert model.onnx_path == mine
    assert model.path == mine.parent
    assert (model.name, model.passport, model.card) == ("cube", None, "")
    assert model.sha256 == hashlib.sha256(b"mine").hexdigest()
    assert store.names() == ("cube", "other")


def test_passport_and_card_come_with_it(tmp_path: Path) -> None:
    _model(tmp_path, "cube", passport=True, card="# Cube\n")
    model = ModelStore([tmp_path]).find("cube")
    assert model.passport is not None
    assert model.passport.classes == ("red_cube",)
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
        (".cube-x1", "expected the name"),
    ],
)
def test_what_is_not_there_is_named(tmp_path: Path, name: str, words: str) -> None:
    _model(tmp_path, "cube")
    with pytest.raises(BadInput, match=words):
        ModelStore([tmp_path]).find(name)


def test_an_empty_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"no cube/model.onnx in {tmp_path}; there are no models"):
        ModelStore([tmp_path]).find("cube")


def test_a_file_that_was_replaced_is_refused(tmp_path: Path) -> None:
    path = _model(tmp_path, "cube", passport=True)
    path.write_bytes(b"another")
    with pytest.raises(BadInput, match=r"passport\.json was written for another file than model\.onnx"):
        ModelStore([tmp_path]).find("cube")


def test_artifacts_come_from_every_folder_of_the_name(tmp_path: Path) -> None:
    source = _model(tmp_path / "packaged", "cube")
    mine = tmp_path / "mine" / "cube"
    mine.mkdir(parents=True)
    for file, precision in ((source.with_name("model.int8-u8.onnx"), "int8-u8"), (mine / "model.fp16.engine", "fp16")):
        file.write_bytes(file.name.encode())
        _passport(file, precision=precision, source={"sha256": hashlib.sha256(b"onnx").hexdigest()})
    model = ModelStore([tmp_path / "mine", tmp_path / "packaged"]).find("cube")
    assert sorted(model.artifacts) == ["model.fp16.engine", "model.int8-u8.onnx"]
    assert model.artifact("model.onnx") == (source, None)
    path, passport = model.artifact("model.fp16.engine")
    assert (path, passport and passport.precision) == (mine / "model.fp16.engine", "fp16")


def test_an_artifact_that_is_not_this_models_is_refused(tmp_path: Path) -> None:
    folder = _model(tmp_path, "cube").parent
    for name in ("a", "b", "c"):
        (folder / f"model.{name}.onnx").write_bytes(name.encode())
    _passport(folder / "model.a.onnx", source={"sha256": "00"})
    _passport(folder / "model.b.onnx").write(folder / "model.c.passport.json")
    model = ModelStore([tmp_path]).find("cube")
    for file, words in {
        "model.a.onnx": "was made from another model",
        "model.c.onnx": "was written for another file",
        "model.d.onnx": "has no model.d.onnx, it has model.onnx, model.a.onnx.*eyehand quantize cube",
        "model.d.engine": "eyehand build cube",
    }.items():
        with pytest.raises(BadInput, match=words):
            model.artifact(file)
    (folder / "model.a.passport.json").unlink()
    with pytest.raises(BadInput, match=r"has no passport model\.a\.passport\.json"):
        model.artifact("model.a.onnx")


def test_what_a_user_made_of_a_packaged_model_comes_first(tmp_path: Path) -> None:
    packaged = _model(tmp_path / "packaged", "cube").parent
    user = tmp_path / "user" / "cube"
    user.mkdir(parents=True)
    of_it, of_an_older_one = hashlib.sha256(b"onnx").hexdigest(), "00"
    for folder, source in ((packaged, of_it), (user, of_it)):
        (folder / "model.int8-u8.onnx").write_bytes(str(folder).encode())
        _passport(folder / "model.int8-u8.onnx", precision="int8-u8", source={"sha256": source})
    store = ModelStore([tmp_path / "user", tmp_path / "packaged"])
    assert store.find("cube").artifact("model.int8-u8.onnx")[0] == user / "model.int8-u8.onnx"
    _passport(user / "model.int8-u8.onnx", precision="int8-u8", source={"sha256": of_an_older_one})
    assert store.find("cube").artifact("model.int8-u8.onnx")[0] == packaged / "model.int8-u8.onnx"


def test_an_artifact_under_the_name_of_another_kind_is_refused(tmp_path: Path) -> None:
    folder = _model(tmp_path, "cube").parent
    (folder / "model.int8-u8.onnx").write_bytes(b"s8")
    _passport(folder / "model.int8-u8.onnx", precision="int8-s8")
    (folder / "model.int8.engine").write_bytes(b"engine")
    _passport(folder / "model.int8.engine", precision="int8-s8-fp16")
    model = ModelStore([tmp_path]).find("cube")
    with pytest.raises(BadInput, match=r"model\.int8-u8\.onnx is int8-s8 by its passport"):
        model.artifact("model.int8-u8.onnx")
    assert model.artifact("model.int8.engine")[0].name == "model.int8.engine"


def test_default_search_is_here_then_the_user_then_packaged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    here, user, packaged = default_search()
    assert here == Path("models")
    assert user == tmp_path / "eyehand" / "models"
    assert packaged.parts[-2:] == ("deploy", "models")
    assert ModelStore().search == (here, user, packaged)
