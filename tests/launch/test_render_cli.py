"""`eyehand render`: what it writes opens again, as the same pictures with the same labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from launch.cli import main
from perception.evaluation import open_labelled
from perception.sources.recording import RecordingSource
from robot.sim.dataset import Sample
from robot.sim.labelled_set import RenderedSet

pytest.importorskip("mujoco")


@pytest.mark.parametrize("form", ["yolo", "coco", "voc", "bag"])
def test_every_format_opens_again(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    out = tmp_path / "set"
    command = ["render", "--out", str(out), "--images", "3", "--seed", "5", "--domain", "varied", "--format", form]
    assert main([*command, "--json"]) == 0
    said = capsys.readouterr()
    value = json.loads(said.out)
    assert (value["images"], value["seed"], value["domain"], value["format"]) == (3, 5, "varied", form)
    assert "rendering 3 pictures" in said.err
    found = open_labelled(value["data"])
    expected = RenderedSet(value["renderer"], 3, 5, "varied")
    assert set(found.class_names) <= set(expected.class_names)
    assert len(found) == 3
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.image, other.image)
        rows = ~other.ignore if form == "yolo" else np.ones(len(other), bool)
        assert one.boxes == pytest.approx(other.boxes[rows], abs=1e-3)
        assert one.ignore.tolist() == other.ignore[rows].tolist()
        names = [expected.class_names[class_id] for class_id in other.class_ids[rows]]
        assert [found.class_names[class_id] for class_id in one.class_ids] == names
    if form == "bag":
        source = RecordingSource(out, need_depth=True)
        frames = [source.read() for _ in range(4)]
        source.close()
        assert frames[3] is None
        for frame, other in zip(frames, expected, strict=False):
            assert frame is not None
            assert np.array_equal(frame.color, other.image)
            assert (frame.depth > 0).mean() > 0.5


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--out", "there"], 2, "there: exists and is not an empty folder"),
        (["--out", "new", "--renderer", "egl"], 3, "EGL cannot render here (EYEHAND_NO_EGL is set)"),
    ],
)
def test_refused_before_anything_is_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    from robot.sim.render import egl_problem

    monkeypatch.setenv("EYEHAND_NO_EGL", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "keep").touch()
    egl_problem.cache_clear()
    try:
        assert main(["render", *arguments]) == code
    finally:
        egl_problem.cache_clear()
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("form", ["yolo", "bag"])
def test_a_set_that_is_broken_off_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    whole = RenderedSet.samples

    def samples(self: RenderedSet) -> Iterator[Sample]:
        yield next(iter(whole(self)))
        raise KeyboardInterrupt

    monkeypatch.setattr(RenderedSet, "samples", samples)
    assert main(["render", "--images", "3", "--format", form, "--out", str(tmp_path / "set")]) == 130
    assert list(tmp_path.iterdir()) == []
