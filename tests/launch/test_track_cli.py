"""`eyehand track`: MOT files in, MOT files out."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from launch.cli import main
from tests.perception.test_camera_motion import texture
from tracking import ImageTracker
from tracking.mot_files import MotRows, read_rows, write_rows


class Walk:
    """People of one size that walk slowly on a wall, seen by a camera that shakes."""

    def __init__(self, folder: Path, frames: int = 60, first: int = 1, shake_px: float = 0.0, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.frames = list(range(first, first + frames))
        self.shifts = rng.uniform(-shake_px, shake_px, (frames, 2))  # where the wall is in each picture
        start = np.column_stack((70.0 * np.arange(8) + 40.0, rng.uniform(150.0, 250.0, 8)))
        speed = rng.uniform(-0.5, 0.5, (8, 2))
        places = start + speed * np.arange(frames)[:, None, None]  # on the wall, (frames, 8, 2)
        self.boxes = np.concatenate((places + self.shifts[:, None], np.full((frames, 8, 2), (40.0, 100.0))), axis=2)
        self.folder = folder
        self.detections = folder / "det.txt"
        count = frames * 8
        rows = MotRows(
            frames=np.repeat(self.frames, 8),
            ids=np.full(count, -1),
            boxes_ltwh=self.boxes.reshape(-1, 4),
            scores=np.round(rng.uniform(0.7, 1.0, count), 3),
            points_m=np.full((count, 3), np.nan),
            class_ids=np.full(count, -1),
        )
        write_rows(self.detections, rows)

    def motion_file(self, sign: float = 1.0, count_from: int = 0, leave_out: int = 0) -> Path:
        path = self.folder / "gmc.txt"
        steps = sign * np.diff(self.shifts, axis=0, prepend=self.shifts[:1])
        rows = [f"{n + count_from}\t1.0\t0.0\t{u:.6f}\t0.0\t1.0\t{v:.6f}\t\n" for n, (u, v) in enumerate(steps)]
        path.write_text("".join(rows[leave_out:]))
        return path

    def pictures(self) -> list[np.ndarray]:
        wall = texture(480 + 400, 640 + 400, 3)
        images = []
        for shift, boxes in zip(self.shifts, self.boxes, strict=True):
            u, v = np.rint(200 - shift).astype(int)
            image = cv2.cvtColor(wall[v : v + 480, u : u + 640], cv2.COLOR_GRAY2BGR)
            for left, top, width, height in np.rint(boxes).astype(int).tolist():
                cv2.rectangle(image, (left, top), (left + width, top + height), (40, 90, 200), -1)
            images.append(image)
        return images

    def switches(self, tracks: Path) -> int:
        """How often the identity of a person changed, by the boxes, which come out as they went in."""
        found = read_rows(tracks)
        ids = {(f, *box): i for f, box, i in zip(found.frames, found.boxes_ltwh.tolist(), found.ids, strict=True)}
        rows = [
            [ids.get((f, *box)) for box in boxes] for f, boxes in zip(self.frames, self.boxes.tolist(), strict=True)
        ]
        count = 0
        for person in zip(*rows, strict=True):
            known = [one for one in person if one is not None]
            count += sum(a != b for a, b in itertools.pairwise(known))
        return count


def track(*arguments: object) -> int:
    return main(["track", *(str(argument) for argument in arguments)])


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert track(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert track(*arguments) == 2
    message = capsys.readouterr().err
    assert "Traceback" not in message
    return message


def written(folder: Path, text: str) -> Path:
    path = folder / "det.txt"
    path.write_text(text)
    return path


def test_boxes_come_out_as_they_went_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    walk, out = Walk(tmp_path), tmp_path / "tracks.txt"
    value = told(capsys, "--detections", walk.detections, "--out", out)
    before, after = read_rows(walk.detections), read_rows(out)
    assert (value["frames"], value["rows"], value["written"], value["tracks"]) == (60, 480, len(after), 8)
    assert len(after) > 0.9 * len(before)
    known = {(f, *box, s) for f, box, s in zip(before.frames, before.boxes_ltwh.tolist(), before.scores, strict=True)}
    assert known >= {
        (f, *box, s) for f, box, s in zip(after.frames, after.boxes_ltwh.tolist(), after.scores, strict=True)
    }
    assert walk.switches(out) == 0
    assert np.unique(after.ids).tolist() == list(range(1, 9))
    assert out.read_text().splitlines()[0].endswith(",-1,-1,-1")
    assert (value["update_ms"]["n"], value["camera_motion"]) == (60, {"from": None})
    assert 0 < value["update_ms"]["p50"] <= value["update_ms"]["p99"]


def test_nothing_on_stdout_but_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    walk = Walk(tmp_path, frames=5)
    assert track("--detections", walk.detections, "--out", tmp_path / "tracks.txt") == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "5 frames, 40 detections, 8 tracks" in printed.err
    assert "median" in printed.err


def test_one_frame_is_no_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "tracks.txt"
    (tmp_path / "det.txt").write_text("1,-1,10,10,40,80,0.9\n")
    assert track("--detections", tmp_path / "det.txt", "--out", out) == 0
    assert f"1 frame, 1 detection, 1 track in 1 row: {out}" in capsys.readouterr().err


@pytest.mark.parametrize("first", [0, 1, 17])
def test_order_of_rows_does_not_matter_and_numbers_stay(tmp_path: Path, first: int) -> None:
    walk = Walk(tmp_path, first=first)
    outs = [tmp_path / "sorted.txt", tmp_path / "shuffled.txt"]
    assert track("--detections", walk.detections, "--out", outs[0]) == 0
    lines = walk.detections.read_text().splitlines()
    order = np.random.default_rng(1).permutation(60)  # frames in any order, the rows of each as they were
    walk.detections.write_text("\n".join(line for f in order for line in lines[8 * f : 8 * f + 8]))
    assert track("--detections", walk.detections, "--out", outs[1]) == 0
    assert outs[0].read_text() == outs[1].read_text()
    assert set(read_rows(outs[0]).frames) <= set(walk.frames)


def gap(folder: Path, frames: int) -> Path:
    """One thing that stands still, and is not detected for some frames."""
    seen = [*range(1, 41), *range(41 + frames, 81 + frames)]
    return written(folder, "".join(f"{frame},-1,100,100,50,80,0.{frame % 2 + 8}\n" for frame in seen))


@pytest.mark.parametrize(("fps", "tracks"), [(30, 2), (300, 1)])
def test_frames_without_detections_are_time_that_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fps: int, tracks: int
) -> None:
    value = told(capsys, "--detections", gap(tmp_path, 120), "--out", tmp_path / "tracks.txt", "--fps", fps)
    assert value["frames"] == 200
    assert value["tracks"] == tracks
    assert value["fps"] == fps


def test_frames_in_which_nothing_is_left_cost_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "tracks.txt"
    short = told(capsys, "--detections", gap(tmp_path, 120), "--out", out)
    ids = read_rows(out).ids
    long = told(capsys, "--detections", gap(tmp_path, 5_000_000), "--out", out)
    assert long["frames"] == 5_000_080
    assert long["update_ms"]["n"] == short["update_ms"]["n"] < 200
    assert np.array_equal(read_rows(out).ids, ids)


SEQINFO = "[Sequence]\nname=MOT17-05-FRCNN\nimDir=img1\nframeRate={}\nseqLength=837\n"


@pytest.mark.parametrize("place", ["sequence/det", "sequence"])
def test_frame_rate_stands_in_seqinfo(tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str) -> None:
    folder = tmp_path / "sequence" / "det"
    folder.mkdir(parents=True)
    info = tmp_path / place / "seqinfo.ini"
    info.write_text(SEQINFO.format(14))
    arguments = ("--detections", Walk(folder, frames=3).detections, "--out", tmp_path / "tracks.txt")
    value = told(capsys, *arguments)
    assert value["fps"] == 14.0
    assert any(str(info.resolve()) in note for note in value["notes"])
    assert told(capsys, *arguments, "--fps", "25")["fps"] == 25.0
    info.write_text(SEQINFO.format("fast"))
    assert "frameRate fast: expected 0.01..1000; give --fps" in refused(capsys, *arguments)
    info.write_text("[Sequence]\nname=A\n")
    value = told(capsys, *arguments)
    assert value["fps"] == 30.0
    assert any("30 frames/s" in note for note in value["notes"])


ROW = "{frame},-1,{left},100,50,80,{score}\n"


def scored(folder: Path, scores: list[float]) -> Path:
    """Things in a row that stand still, each with its score."""
    return written(
        folder,
        "".join(
            ROW.format(frame=frame, left=100 * n, score=score)
            for frame in range(1, 11)
            for n, score in enumerate(scores)
        ),
    )


@pytest.mark.parametrize(
    ("scores", "options", "tracks", "note"),
    [
        ([0.9, 0.8, 0.2], [], 2, None),
        ([1.00001, 0.8, 0.2], [], 2, None),
        ([0.9, 0.8, 0.2], ["--min-score", "0.85"], 1, "20 of 30 detections dropped"),
        ([-0.5, 0.4, 2.3], [], 3, "scores -0.5..2.3 are no probabilities: every detection that is used counts as"),
        ([-0.5, -0.1, 2.3], ["--min-score", "-0.2"], 2, "10 of 30 detections dropped"),
        ([-0.5, 0.4, 2.3], ["--min-score", "0"], 2, "10 of 30 detections dropped"),
        ([12.0, 101.5, 80.0], ["--min-score", "30"], 2, "scores 12..101.5 are no probabilities"),
        ([1.0, 1.0, 1.0], [], 3, None),
        ([-1.0, -1.0], [], 2, "all scores are -1: every detection"),
        ([0.3, 0.3], [], 2, "all scores are 0.3: every detection"),
        ([0.3, 0.2], [], 2, "no score is above 0.3, and a track starts at 0.5: every detection"),
    ],
)
def test_scores_of_any_detector(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    scores: list[float],
    options: list[str],
    tracks: int,
    note: str | None,
) -> None:
    out = tmp_path / "tracks.txt"
    value = told(capsys, "--detections", scored(tmp_path, scores), "--out", out, *options)
    assert value["tracks"] == tracks
    told_of_scores = [one for one in value["notes"] if "score" in one]
    assert bool(told_of_scores) == (note is not None)
    assert note is None or any(note in one for one in told_of_scores)
    assert set(read_rows(out).scores) <= set(scores)  # in the file's own unit


def test_scores_that_are_missing_are_sure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{frame} -1 10 10 40 80\n{frame} -1 200 10 40 80\n" for frame in range(1, 9))
    value = told(capsys, "--detections", written(tmp_path, rows), "--out", tmp_path / "tracks.txt")
    assert value["tracks"] == 2
    assert len(value["notes"]) == 1  # the frame rate


def test_no_detections_is_a_legal_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "tracks.txt"
    value = told(capsys, "--detections", written(tmp_path, "\n"), "--out", out)
    assert out.read_text() == ""
    assert any("no detections" in note for note in value["notes"])
    assert (value["frames"], value["tracks"], value["update_ms"]) == (0, 0, {"n": 0, "p50": None, "p99": None})
    assert track("--detections", tmp_path / "det.txt", "--out", out) == 0
    gone = told(capsys, "--detections", gap(tmp_path, 5), "--out", out, "--min-score", "2")
    assert (gone["dropped"], gone["tracks"], out.read_text()) == (80, 0, "")


def test_classes_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(
        f"{frame},-1,10,10,40,80,0.9,{kind}\n{frame},-1,200,10,40,80,0.8,7\n"
        for frame, kind in zip(range(1, 9), [1, 1, 1, 1, 2, 1, 1, 1], strict=True)
    )
    value = told(capsys, "--detections", written(tmp_path, rows), "--out", tmp_path / "tracks.txt")
    assert value["tracks"] == 2


def test_damage_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "tracks.txt"
    path = written(tmp_path, "1,-1,10,10,40,80,1\n2,-1,10,10,0,80,1\n")
    assert f"{path}:2: 10,10,0,80: expected a width and height > 0 px" in refused(
        capsys, "--detections", path, "--out", out
    )
    assert "No such file" in refused(capsys, "--detections", tmp_path / "none.txt", "--out", out)
    path.write_text("1,-1,10,10,40,80,1\n1700000000,-1,10,10,40,80,1\n")
    assert f"{path}:2: 1700000000: expected a whole frame" in refused(capsys, "--detections", path, "--out", out)
    assert not out.exists()


def test_places_to_write_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    walk = Walk(tmp_path, frames=3)
    arguments = ("--detections", walk.detections, "--out")
    message = refused(capsys, *arguments, tmp_path / "missing" / "tracks.txt")
    assert "missing is not a folder that exists" in message
    assert "a folder; name a file in it" in refused(capsys, *arguments, tmp_path)
    before = walk.detections.read_text()
    (tmp_path / "link.txt").symlink_to(walk.detections)
    for name in ("det.txt", "link.txt"):
        assert "would replace what is read" in refused(capsys, *arguments, tmp_path / name)
    assert walk.detections.read_text() == before


@pytest.mark.parametrize("option", [("--fps", "0"), ("--fps", "nan"), ("--fps", "x"), ("--min-score", "inf")])
def test_figures_out_of_range(tmp_path: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, str]) -> None:
    with pytest.raises(SystemExit) as ended:
        track("--detections", Walk(tmp_path, frames=2).detections, "--out", tmp_path / "tracks.txt", *option)
    assert ended.value.code == 2
    assert re.search(rf"argument {option[0]}: '?{option[1]}'?: expected", capsys.readouterr().err)


def test_an_interrupt_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walk, out = Walk(tmp_path), tmp_path / "tracks.txt"
    out.write_text("before\n")
    update, seen = ImageTracker.update, []

    def interrupted(self: ImageTracker, *arguments: Any, **options: Any) -> Any:
        seen.append(1)
        if len(seen) == 30:
            raise KeyboardInterrupt
        return update(self, *arguments, **options)

    monkeypatch.setattr(ImageTracker, "update", interrupted)
    assert track("--detections", walk.detections, "--out", out) == 130
    assert out.read_text() == "before\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["det.txt", "tracks.txt"]


SHAKE_PX = 45.0
FRAMES = 30


@pytest.fixture(scope="module")
def shaken(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    return Walk(tmp_path_factory.mktemp("shaken"), frames=FRAMES, shake_px=SHAKE_PX)


@pytest.fixture(scope="module")
def switches_without(shaken: Walk) -> int:
    out = shaken.folder / "without.txt"
    assert track("--detections", shaken.detections, "--out", out) == 0
    return shaken.switches(out)


@pytest.mark.parametrize("count_from", [0, 1])
def test_a_file_of_motions_keeps_identities(
    shaken: Walk, switches_without: int, count_from: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gmc, out = shaken.motion_file(count_from=count_from), tmp_path / "tracks.txt"
    value = told(capsys, "--detections", shaken.detections, "--out", out, "--camera-motion", gmc)
    assert switches_without > 20
    assert shaken.switches(out) == 0
    assert value["tracks"] == 8
    motion = value["camera_motion"]
    assert motion == {"from": str(gmc), "frame_offset": 1 - count_from, "frames_without": 0}
    how = ("one less than the detections", "as the detections do")[count_from]
    assert any(f"counts frames {how}" in note for note in value["notes"])
    assert not any("overlap less" in note for note in value["notes"])


def test_motions_that_do_not_fit_are_noticed(shaken: Walk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--detections", shaken.detections, "--out", tmp_path / "tracks.txt", "--camera-motion")
    value = told(capsys, *arguments, shaken.motion_file(sign=-1.0))
    assert any("boxes overlap less" in note for note in value["notes"])
    value = told(capsys, *arguments, shaken.motion_file(count_from=1, leave_out=11))
    assert value["camera_motion"]["frames_without"] == 10
    assert any("no motion for 10 of 29 frames" in note for note in value["notes"])
    message = refused(capsys, *arguments, shaken.motion_file(count_from=500))
    assert "frames 500..529, none of which is of the detections' 1..30" in message
    gmc = shaken.motion_file()
    gmc.write_text(gmc.read_text().replace("1.0", "nan", 1))
    assert f"{gmc}:1: motion [nan" in refused(capsys, *arguments, gmc)
    assert "No such file" in refused(capsys, *arguments, tmp_path / "none.txt")


@pytest.fixture(scope="module")
def pictures(shaken: Walk) -> Path:
    folder = shaken.folder / "img1"
    folder.mkdir()
    for number, image in enumerate(shaken.pictures(), start=1):
        cv2.imwrite(str(folder / f"{number:06d}.jpg"), image)
    return folder


def test_pictures_keep_identities(
    shaken: Walk, pictures: Path, switches_without: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tracks.txt"
    value = told(capsys, "--detections", shaken.detections, "--out", out, "--images", pictures)
    assert shaken.switches(out) == 0 < switches_without
    motion = value["camera_motion"]
    assert (motion["frames_measured"], motion["frames_without"], motion["estimate_ms"]["n"]) == (FRAMES - 1, 0, FRAMES)


def renamed(folder: Path, pictures: Path, name: str) -> Path:
    folder.mkdir()
    for number, file in enumerate(sorted(pictures.iterdir())):
        (folder / name.format(number)).symlink_to(file)
    return folder


@pytest.mark.parametrize("name", ["{:06d}.jpg", "frame{:d}.jpg", "a{:d}_7.jpg"])
def test_pictures_may_be_counted_from_0(
    shaken: Walk, pictures: Path, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = renamed(tmp_path / "img", pictures, name), tmp_path / "tracks.txt"
    assert told(capsys, "--detections", shaken.detections, "--out", out, "--images", folder)["tracks"] == 8
    assert shaken.switches(out) == 0


def test_a_part_of_a_sequence_finds_its_pictures_by_their_names(
    shaken: Walk, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shaken.detections.read_text().splitlines(keepends=True)
    path, out = written(tmp_path, "".join(lines[8 * 10 : 8 * 20])), tmp_path / "tracks.txt"
    value = told(capsys, "--detections", path, "--out", out, "--images", pictures)
    assert (value["frames"], value["tracks"], shaken.switches(out)) == (10, 8, 0)


def test_a_video_keeps_identities(
    shaken: Walk, switches_without: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "video.avi", tmp_path / "tracks.txt"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (640, 480))
    assert writer.isOpened()
    for image in shaken.pictures():
        writer.write(image)
    writer.release()
    arguments = ("--out", out, "--images", path)
    value = told(capsys, "--detections", shaken.detections, *arguments)
    assert shaken.switches(out) == 0 < switches_without
    assert value["fps"] == 20.0
    lines = shaken.detections.read_text().splitlines(keepends=True)
    late = written(tmp_path, "".join(lines[8 * 15 :]))
    assert told(capsys, "--detections", late, *arguments)["tracks"] == 8
    assert shaken.switches(out) == 0
    late.write_text("".join(lines) + f"{FRAMES + 1},-1,10,10,40,80,0.9,-1,-1,-1\n")
    assert "ends before frame 31" in refused(capsys, "--detections", late, *arguments)


def test_pictures_that_do_not_fit(
    shaken: Walk, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--detections", shaken.detections, "--out", tmp_path / "tracks.txt", "--images")
    few = tmp_path / "few"
    few.mkdir()
    (few / "000001.jpg").symlink_to(pictures / "000001.jpg")
    assert "1 pictures, 000001.jpg to 000001.jpg; expected one for each frame 1..30" in refused(capsys, *arguments, few)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no .jpg" in refused(capsys, *arguments, empty)
    assert "no such file or folder" in refused(capsys, *arguments, tmp_path / "none")
    assert "one picture" in refused(capsys, *arguments, pictures / "000001.jpg")
    (tmp_path / "video.mp4").write_bytes(bytes(range(256)) * 40)
    assert "not a video" in refused(capsys, *arguments, tmp_path / "video.mp4")
    small = tmp_path / "small"
    small.mkdir()
    for file in pictures.iterdir():
        cv2.imwrite(str(small / file.name), cv2.resize(cv2.imread(str(file)), (160, 120)))
    value = told(capsys, *arguments, small)
    assert any("lie outside its 160x120 px" in note for note in value["notes"])


def test_a_motion_that_cannot_be_measured_is_none(
    shaken: Walk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "grey"
    folder.mkdir()
    for number in range(1, FRAMES + 1):
        cv2.imwrite(str(folder / f"{number:06d}.png"), np.full((120, 160), 90, np.uint8))
    motion = told(capsys, "--detections", shaken.detections, "--out", tmp_path / "t.txt", "--images", folder)
    motion = motion["camera_motion"]
    assert (motion["frames_measured"], motion["frames_without"]) == (0, FRAMES - 1)
    assert motion["reason"].startswith("frame 2: 0 of 0 corners")


def test_one_source_of_motion_only(shaken: Walk, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        track(
            "--detections", shaken.detections, "--out", tmp_path / "tracks.txt",
            "--images", pictures, "--camera-motion", shaken.motion_file(),
        )  # fmt: skip
    assert ended.value.code == 2


def test_motion_for_no_detections(shaken: Walk, pictures: Path, tmp_path: Path) -> None:
    arguments = ("--detections", written(tmp_path, ""), "--out", tmp_path / "tracks.txt")
    for motion in (("--images", pictures), ("--camera-motion", shaken.motion_file())):
        assert track(*arguments, *motion) == 0
        assert (tmp_path / "tracks.txt").read_text() == ""


def test_two_runs_give_the_same_bytes(shaken: Walk, pictures: Path, tmp_path: Path) -> None:
    outs = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for out in outs:
        assert track("--detections", shaken.detections, "--out", out, "--images", pictures) == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_real_sequence(shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared_data / "mot_TUD-Campus"
    if not folder.is_dir():
        pytest.skip(f"TUD-Campus not found at {folder}")
    pytest.importorskip("motmetrics")
    out = tmp_path / "tracks.txt"
    value = told(capsys, "--detections", folder / "det.txt", "--out", out, "--fps", "25")
    assert (value["frames"], value["rows"]) == (71, 321)
    assert main(["eval", "tracking", "--truth", str(folder / "gt.txt"), "--tracks", str(out), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["mota"] > 56.0  # joining boxes by overlap alone, frame by frame: 56.0 with 10 switches
    assert scores["ids"] < 10
