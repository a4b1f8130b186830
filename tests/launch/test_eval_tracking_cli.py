"""`eyehand eval tracking` on small files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from launch.cli import main

pytest.importorskip("motmetrics")

# Two objects for three frames; the tracks swap in the third.
TRUTH = "".join(f"{frame},1,0,0,30,60,1,{frame},0,0.5\n{frame},2,200,0,30,60,1,{frame},3,0.5\n" for frame in (1, 2, 3))
TRACKS = TRUTH.replace("3,1,0,", "3,9,0,").replace("3,2,200,", "3,1,200,").replace("3,9,0,", "3,2,0,")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gt.txt").write_text(TRUTH)
    (tmp_path / "out.txt").write_text(TRACKS)
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "flat.txt").write_text("1,1,0,0,30,60,1,-1,-1,-1\n")
    (tmp_path / "twice.txt").write_text("1,1,0,0,30,60\n1,1,0,0,30,60\n")
    (tmp_path / "ignored.txt").write_text(TRUTH + "9,5,0,0,30,60,0,0,0,0\n")
    return tmp_path


def evaluated(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    assert main(["eval", "tracking", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_boxes(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluated(capsys, "--truth", "gt.txt", "--tracks", "out.txt") == {
        "truth": "gt.txt", "tracks": "out.txt", "similarity": "iou", "threshold": 0.5,
        "mota": 66.67, "motp": 100.0, "idf1": 66.67, "idp": 66.67, "idr": 66.67,
        "hota": 63.25, "deta": 100.0, "assa": 40.0, "loca": 100.0, "precision": 100.0, "recall": 100.0,
        "fp": 0, "fn": 0, "ids": 2, "fragmentations": 0, "mostly_tracked": 2, "mostly_lost": 0,
        "mean_distance_m": None, "objects": 2, "truth_rows": 6, "track_rows": 6, "frames": 3, "notes": [],
    }  # fmt: skip


def test_places(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value = evaluated(capsys, "--truth", "gt.txt", "--tracks", "out.txt", "--distance", "0.05")
    assert (value["similarity"], value["threshold"], value["mean_distance_m"]) == ("distance", 0.05, 0.0)
    assert (value["ids"], value["mota"], value["hota"]) == (2, 66.67, 63.25)


def test_no_tracks(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value = evaluated(capsys, "--truth", "gt.txt", "--tracks", "empty.txt")
    assert (value["mota"], value["hota"], value["precision"], value["fn"]) == (0.0, 0.0, None, 6)
    assert main(["eval", "tracking", "--truth", "gt.txt", "--tracks", "empty.txt"]) == 0
    assert "precision      - " in capsys.readouterr().out


def test_table(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--truth", "ignored.txt", "--tracks", "out.txt", "--distance", "0.05"]
    assert main(["eval", "tracking", *arguments]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0] == "out.txt against ignored.txt, within 0.05 m:"
    assert lines[1] == "4 frames, 2 objects in 6 rows of truth, 6 rows of tracks"
    for words in ("HOTA  63.25", "MOTA       66.67", "IDF1  66.67", "IDs                 2"):
        assert words in said.out
    assert lines[-1] == "mean distance of the matches 0.0000 m"
    assert max(map(len, lines)) <= 80
    assert said.err == "truth: 1 row of confidence 0 left out\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--truth", "gone.txt", "--tracks", "out.txt"], "gone.txt: cannot be read (No such file or directory)"),
        (["--truth", "gt.txt", "--tracks", "gone.txt"], "gone.txt: cannot be read"),
        (["--truth", "empty.txt", "--tracks", "out.txt"], "truth: no row of 0 counts"),
        (["--truth", "gt.txt", "--tracks", "twice.txt"], "twice.txt:2: identity 1 for the second time in frame 1"),
        (["--truth", "gt.txt", "--tracks", "out.txt", "--iou", "1.5"], "overlap 1.5: expected an IoU above 0"),
        (["--truth", "gt.txt", "--tracks", "out.txt", "--distance", "0"], "distance 0.0: expected more than 0 m"),
        (["--truth", "gt.txt", "--tracks", "flat.txt", "--distance", "1"], "tracks: 1 of 1 rows have no x,y,z"),
    ],
)
def test_refused_in_one_sentence(
    files: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["eval", "tracking", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("eyehand: ")
    assert said.err.count("\n") == 1
    assert message in said.err


def test_one_way_to_compare(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["eval", "tracking", "--truth", "gt.txt", "--tracks", "out.txt", "--iou", "0.4", "--distance", "1"])
    assert stopped.value.code == 2
    assert "not allowed with argument" in capsys.readouterr().err


def test_without_the_extra(files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "motmetrics", None)
    assert main(["eval", "tracking", "--truth", "gt.txt", "--tracks", "out.txt"]) == 3
    assert "pip install 'eyehand[eval]'" in capsys.readouterr().err
