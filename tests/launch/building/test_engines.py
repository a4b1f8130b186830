"""An engine takes the place of an older one whole, or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from deploy.model_store import ModelStore
from deploy.passport import Passport, file_sha256, passport_path
from launch.building.engines import Engine, install


@pytest.fixture
def passport() -> Passport:
    found = ModelStore().find("tabletop-yolov8n-small").passport
    assert found is not None
    return found


def built(folder: Path, passport: Passport) -> tuple[Engine, Passport]:
    path = folder / "model.fp16.engine"
    folder.mkdir()
    path.write_bytes(folder.name.encode())
    about = passport.model_copy(update={"format": "tensorrt", "precision": "fp16", "sha256": file_sha256(path)})
    return Engine("fp16", path, Path("model.fp16.onnx"), report={"layers": [folder.name]}), about


def test_a_disk_that_fills_up_leaves_the_older_engine(
    tmp_path: Path, passport: Passport, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    older = install(built(tmp_path / "older", passport)[0], store, built(tmp_path / "same", passport)[1])
    assert older.path == store / "model.fp16.engine"
    before = {file.name: file.read_bytes() for file in store.iterdir()}
    assert sorted(before) == ["model.fp16.engine", "model.fp16.engine.passport.json", "model.fp16.layers.json"]

    newer, about = built(tmp_path / "newer", passport)
    with monkeypatch.context() as patch:

        def full(self: Passport, path: Path) -> Passport:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

        patch.setattr(Passport, "write", full)
        with pytest.raises(OSError, match="No space left"):
            install(newer, store, about)
    assert {file.name: file.read_bytes() for file in store.iterdir()} == before
    install(newer, store, about)
    Passport.read(passport_path(newer.path)).check_file(newer.path)
    assert newer.path.read_bytes() == b"newer"
