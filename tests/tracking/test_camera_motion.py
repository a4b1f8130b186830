"""Motions of the camera are checked, and files of them are read whatever their numbering."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput
from tracking import camera_motion
from tracking.camera_motion import agreement, check_motion, move_boxes, numbering, read_motions

SHIFT = [[1.0, 0.0, 5.0], [0.0, 1.0, -2.0]]


def written(folder: Path, text: str) -> Path:
    path = folder / "gmc.txt"
    path.write_bytes(text.encode())
    return path


def test_both_shapes_give_a_homography() -> None:
    assert check_motion(SHIFT).tolist() == [[1, 0, 5], [0, 1, -2], [0, 0, 1]]
    twice = 2.0 * np.array([[1.0, 0.1, 5.0], [0.0, 1.1, -2.0], [1e-5, 2e-5, 1.0]])
    np.testing.assert_allclose(check_motion(twice), twice / 2.0)


def test_the_given_array_is_not_changed() -> None:
    given = 2.0 * np.eye(3)
    check_motion(given)
    assert given.tolist() == (2.0 * np.eye(3)).tolist()


NONE_OF_A_CAMERA = {
    "flat": (np.ones(6), r"shape \(6,\): expected \(2, 3\) or \(3, 3\)"),
    "4x4": (np.eye(4), r"shape \(4, 4\)"),
    "words": (["a", "b"], "not numbers"),
    "ragged": ([[1, 0, 0], [0, 1]], "not numbers"),
    "nan": ([[1, 0, np.nan], [0, 1, 0]], "finite"),
    "infinite": ([[1, 0, 0], [0, np.inf, 0]], "finite"),
    "nothing": (np.zeros((2, 3)), "can be undone"),
    "on one line": ([[1, 1, 0], [1, 1, 0]], "can be undone"),
    "mirrored": ([[-1, 0, 640], [0, 1, 0]], "mirror"),
    "scaled up": ([[11, 0, 0], [0, 11, 0]], "scales by 11 and 11: expected 0.1..10"),
    "scaled down": ([[1, 0, 0], [0, 0.05, 0]], "scales by 1 and 0.05"),
    "far away": ([[1, 0, 2e5], [0, 1, 0]], "shift within 100000 px"),
    "at infinity": (np.diag([1.0, 1.0, 0.0]), "last element"),
    "horizon in the picture": ([[1, 0, 0], [0, 1, 0], [0.01, 0, 1]], "third row"),
    "folded": ([[1, 0, 2e3], [0, 1, 0], [5e-4, 0, 1]], "homography that can be undone"),
}


@pytest.mark.parametrize(("motion", "message"), NONE_OF_A_CAMERA.values(), ids=NONE_OF_A_CAMERA)
def test_what_no_camera_does_is_refused(motion: object, message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        check_motion(motion, "motion of frame 7")
    assert str(caught.value).startswith("motion of frame 7")


def test_boxes_move_with_the_picture() -> None:
    boxes = np.array([[10.0, 20.0, 30.0, 60.0]])
    np.testing.assert_allclose(move_boxes(boxes, check_motion(SHIFT)), [[15, 18, 35, 58]])
    quarter = check_motion([[0.0, -1.0, 100.0], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(move_boxes(boxes, quarter), [[40, 10, 80, 30]])
    homography = check_motion([[1, 0, 0], [0, 1, 0], [1e-3, 0, 1]])
    expected = [10 / 1.01, 20 / 1.03, 30 / 1.03, 60 / 1.01]
    np.testing.assert_allclose(move_boxes(boxes, homography)[0], expected)
    assert move_boxes(np.empty((0, 4)), homography).shape == (0, 4)


BOT_SORT = "0\t1.000000\t0.000000\t0.000000\t0.000000\t1.000000\t0.000000\t\n1\t1.0\t0.0\t5.0\t0.0\t1.0\t-2.0\t\n"
FILES = {
    "tabs, one at the end": BOT_SORT,
    "spaces": "0 1 0 0 0 1 0\n1 1 0 5 0 1 -2\n",
    "commas": "0,1,0,0,0,1,0\n1,1,0,5,0,1,-2\n",
    "nine numbers": "0 1 0 0 0 1 0 0 0 1\n1 2 0 10 0 2 -4 0 0 2\n",
    "not sorted, blank lines, Windows, byte order mark": "\ufeff1 1 0 5 0 1 -2\r\n\r\n0 1 0 0 0 1 0\r\n",
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_forms_of_the_same_file(tmp_path: Path, text: str) -> None:
    motions = read_motions(written(tmp_path, text))
    assert motions.frames.tolist() == [0, 1]
    np.testing.assert_array_equal(motions.at(0), np.eye(3))
    np.testing.assert_array_equal(motions.at(1), check_motion(SHIFT))
    assert motions.at(2) is None
    assert motions.renumbered(1).at(2) is not None


DAMAGED = {
    "": "gmc.txt: no rows",
    "0 1 0 0 0 1\n": "gmc.txt:1: 6 columns; expected 7 or more",
    "0 1 0 0 0 1 0 0\n": "gmc.txt:1: 8 columns; expected 7 or 10",
    "0 1 0 0 0 1 0\n1 1 0 5 0 1\n": "gmc.txt:2: 6 columns; expected 7 like the rows before",
    "0 1 0 0 0 1 0\n1 1 0 x 0 1 0\n": "gmc.txt:2: 'x' is not a number",
    "0 1 0 0 0 1 0\n1 1 0 nan 0 1 0\n": "gmc.txt:2: motion [1 0 nan; 0 1 0]: expected finite",
    "0 1 0 0 0 1 0\n\n1 0 0 3 0 0 3\n": "gmc.txt:3: motion [0 0 3; 0 0 3; 0 0 1]: expected one that can be undone",
    "0 1 0 0 0 1 0\n1 50 0 3 0 50 3\n": "gmc.txt:2: motion [50 0 3; 0 50 3; 0 0 1]: scales by 50 and 50",
    "0 1 0 0 0 1 0\n0 1 0 3 0 1 3\n": "gmc.txt:2: frame 0 again, first on line 1",
    "12.625 1 0 0 0 1 0\n": "gmc.txt:1: frame 12.625: expected a whole number",
    "-1 1 0 0 0 1 0\n": "gmc.txt:1: frame -1: expected a whole number",
    "inf 1 0 0 0 1 0\n": "gmc.txt:1: frame inf: expected a whole number",
}


@pytest.mark.parametrize(("text", "message"), DAMAGED.items(), ids=DAMAGED)
def test_damage_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_motions(written(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path}/{message}")


def panning(first: int, last: int, seed: int) -> tuple[list[int], list[np.ndarray], dict[int, float]]:
    """Boxes of things that stand still before a camera that pans unevenly; the shift to each frame but the first."""
    rng = np.random.default_rng(seed)
    shifts = {frame: float(rng.choice([-60, -25, 25, 60])) for frame in range(first + 1, last + 1)}
    boxes = [np.column_stack((left := rng.uniform(0, 600, 5), top := rng.uniform(0, 400, 5), left + 40, top + 90))]
    for shift in shifts.values():
        boxes.append(boxes[-1] + [shift, 0, shift, 0])
    return list(range(first, last + 1)), boxes, shifts


def motions_file(folder: Path, shifts: dict[int, float], add: int, extra: tuple[int, ...] = ()) -> Path:
    rows = {frame: f"{frame} 1 0 0 0 1 0" for frame in extra}
    rows |= {frame + add: f"{frame + add} 1 0 {shift} 0 1 0" for frame, shift in shifts.items()}
    return written(folder, "\n".join(rows.values()))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("first", "add", "extra", "expected"),
    [
        (1, -1, (0,), 1),  # as BoT-SORT writes it
        (1, -1, (0, 20, 21), 1),  # there, the last frames show nothing
        (4, -1, (0, 1, 2), 1),  # and here, nor do the first
        (1, 0, (0,), 0),  # a row for a frame that does not exist
        (1, 0, (), 0),  # counted as the detections are
        (1, 0, (1,), 0),
        (0, 0, (0,), 0),  # both from 0 on
        (4, 0, (0, 1, 2, 3, 4), 0),  # both from 0 on, and the first frames show nothing
        (0, 1, (1,), -1),  # the detections from 0, the motions from 1 on
        (0, 0, (20, 21), 0),  # both from 0 on, without a row for the first
    ],
)
def test_numbering_is_found(
    tmp_path: Path, first: int, add: int, extra: tuple[int, ...], expected: int, seed: int
) -> None:
    frames, boxes, shifts = panning(first, 19, seed)
    motions = read_motions(motions_file(tmp_path, shifts, add, extra))
    assert numbering(motions, frames, boxes) == expected
    assert agreement(motions.renumbered(expected), frames, boxes) == pytest.approx(1.0)


def test_numbering_without_any_evidence_is_the_usual_one(tmp_path: Path) -> None:
    still = read_motions(written(tmp_path, "".join(f"{frame} 1 0 0 0 1 0\n" for frame in range(20))))
    boxes = [np.array([[0.0, 0.0, 10.0, 10.0]])] * 5
    assert numbering(still, [1, 2, 3, 4, 5], boxes) == 1
    assert numbering(still, [], []) == 0


def test_agreement_says_whether_motions_explain_the_boxes(tmp_path: Path) -> None:
    frames, boxes, shifts = panning(1, 30, 0)
    right = read_motions(motions_file(tmp_path, shifts, 0))
    wrong = read_motions(motions_file(tmp_path, {frame: -shift for frame, shift in shifts.items()}, 0))
    assert agreement(right, frames, boxes) == pytest.approx(1.0)
    assert agreement(wrong, frames, boxes) < agreement(None, frames, boxes) < 0.5
    assert agreement(right, [1, 3, 5], boxes[:3]) == 0.0  # no neighbours


def test_the_example_runs() -> None:
    results = doctest.testmod(camera_motion)
    assert results.attempted
    assert not results.failed
