"""Folders to be: what is refused, and what is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.errors import BadInput
from deploy.new_folder import check_new, workshop


def test_a_folder_with_content_is_refused(tmp_path: Path) -> None:
    check_new(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    check_new(tmp_path / "empty")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    for name in ("full", "full/x"):
        with pytest.raises(BadInput, match=rf"--out .*{name}: exists and is not an empty folder"):
            check_new(tmp_path / name)


def test_a_workshop_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with workshop(tmp_path / "deep" / "model") as place:
            (place / "draft").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"--out .*model: cannot write there"), workshop(tmp_path / "file" / "model"):
        pass
