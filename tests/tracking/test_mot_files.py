"""Text files of the MOTChallenge are read in every form that exists, and written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from deploy.errors import BadInput
from tracking.mot_files import MotRows, read_rows, write_rows


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "rows.txt"
    path.write_bytes(text.encode(encoding))
    return path


def rows(count: int, **changes: object) -> MotRows:
    values: dict = {
        "frames": np.arange(1, count + 1),
        "ids": np.full(count, -1),
        "boxes_ltwh": np.tile([10.0, 20.0, 30.0, 40.0], (count, 1)),
        "scores": np.ones(count),
        "points_m": np.full((count, 3), np.nan),
        "class_ids": np.full(count, -1),
    }
    return MotRows(**(values | changes))


FORMS = {
    "commas": "1,-1,10.5,20,30,40,0.5\n2,-1,11,20,30,40,0.25\n",
    "white space": "1 -1 10.5 20 30 40 0.5\n2\t-1  11 20 30 40 .25\n",
    "commas and spaces": "1, -1, 10.5, 20, 30, 40, 0.5\n 2, -1, 11, 20, 30, 40, 0.25",
    "comma at the end": "1,-1,10.5,20,30,40,0.5,\n2,-1,11,20,30,40,0.25,\n",
    "lines of Windows": "1,-1,10.5,20,30,40,0.5\r\n2,-1,11,20,30,40,0.25\r\n",
    "byte order mark": "\ufeff1,-1,10.5,20,30,40,0.5\n2,-1,11,20,30,40,0.25\n",
    "blank lines and comments": "# frame,id\n\n1,-1,10.5,20,30,40,0.5\n  \n2,-1,11,20,30,40,0.25\n\n",
    "decimals": "1.0,-1.0,1.05e1,20,30,40,5e-1\n2.000,-1,11,20,30,40,0.25\n",
    "ten columns": "1,-1,10.5,20,30,40,0.5,-1,-1,-1\n2,-1,11,20,30,40,0.25,-1,-1,-1\n",
    "twelve columns": "1,-1,10.5,20,30,40,0.5,-1,-1,-1,7,7\n2,-1,11,20,30,40,0.25,-1,-1,-1,8,8\n",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_forms_of_the_same_rows(tmp_path: Path, text: str) -> None:
    found = read_rows(written(tmp_path, text))
    assert found.frames.tolist() == [1, 2]
    assert found.ids.tolist() == [-1, -1]
    assert found.boxes_ltwh.tolist() == [[10.5, 20.0, 30.0, 40.0], [11.0, 20.0, 30.0, 40.0]]
    assert found.scores.tolist() == [0.5, 0.25]
    assert np.isnan(found.points_m).all()
    assert found.class_ids.tolist() == [-1, -1]


def test_what_further_columns_mean(tmp_path: Path) -> None:
    six = read_rows(written(tmp_path, "3,7,10,20,30,40\n"))
    assert (six.scores[0], six.class_ids[0], six.ids[0]) == (1.0, -1, 7)
    truth = read_rows(written(tmp_path, "3,7,10,20,30,40,0,12,0.75\n"))
    assert (truth.scores[0], truth.class_ids[0]) == (0.0, 12)
    assert np.isnan(truth.points_m).all()
    placed = read_rows(written(tmp_path, "3,7,10,20,30,40,1,0.1,-1,-1\n4,7,10,20,30,40,1,nan,nan,nan\n"))
    assert placed.points_m[0].tolist() == [0.1, -1.0, -1.0]
    assert np.isnan(placed.points_m[1]).all()
    assert placed.class_ids.tolist() == [-1, -1]


def test_order_and_numbering_stay(tmp_path: Path) -> None:
    found = read_rows(written(tmp_path, "9,-1,1,1,1,1\n0,-1,2,2,2,2\n4,-1,3,3,3,3\n"))
    assert found.frames.tolist() == [9, 0, 4]


@pytest.mark.parametrize("text", ["", "\n \n", "# nothing was seen\n", "\ufeff"])
def test_no_rows(tmp_path: Path, text: str) -> None:
    found = read_rows(written(tmp_path, text))
    assert len(found) == 0
    assert (found.boxes_ltwh.shape, found.points_m.shape) == ((0, 4), (0, 3))


DAMAGED = {
    "1,-1,10,20,30": "5 columns; expected 6 or more",
    "1,-1,10,20,30,40,,-1,-1,-1": "'' is not a number",
    "1,-1,10,20,wide,40,1": "'wide' is not a number",
    "2_1,-1,10,20,30,40,1": "'2_1' is not a number",
    "frame,id,left,top,width,height": "'frame' is not a number",
    "1,-1,10,20,nan,40,1": "expected left, top, width, height",
    "1,-1,inf,20,30,40,1": "expected left, top, width, height",
    "1,-1,10,20,30,40,nan": "nan: expected a finite score",
    "-1,-1,10,20,30,40,1": "-1: expected a whole frame",
    "1.5,-1,10,20,30,40,1": "1.5: expected a whole frame",
    "nan,-1,10,20,30,40,1": "nan: expected a whole frame",
    "1700000000000,-1,10,20,30,40,1": "1700000000000: expected a whole frame",
    "inf,-1,10,20,30,40,1": "inf: expected a whole frame",
    "1,0.5,10,20,30,40,1": "0.5: expected a whole number as id",
    "1,-1,10,20,-30,40,1": "10,20,-30,40: expected a width and height >= 0",
    "1,-1,10,20,30,-1e-9,1": "expected a width and height >= 0",
    "1,-1,10,20,30,40,1,2.5,1": "2.5: expected a whole number as class",
    "1,-1,10,20,30,40,1,0.5,nan,1": "0.5,nan,1: expected a place x,y,z",
    "1,-1,10,20,30,40,1,inf,1,1": "inf,1,1: expected a place x,y,z",
}


@pytest.mark.parametrize(("line", "message"), DAMAGED.items(), ids=DAMAGED)
def test_a_damaged_row_is_named_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    columns = max(line.count(",") + 1, 6)
    good = ",".join(["1", "-1", "10", "20", "30", "40", "1", "-1", "-1", "-1"][:columns])
    path = written(tmp_path, f"\n{line}\n" if columns == 6 else f"{good}\n{line}\n{good}\n")
    with pytest.raises(BadInput) as caught:
        read_rows(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert message in str(caught.value)


def test_a_row_that_was_cut_off_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    path = written(tmp_path, "1,-1,10,20,30,400,1,-1,-1,-1\n2,-1,10,20,30,4")
    with pytest.raises(BadInput, match=r"rows.txt:2: 6 columns; expected 10 like the rows before"):
        read_rows(path)


def test_boxes_of_no_size(tmp_path: Path) -> None:
    path = written(tmp_path, "1,-1,10,20,30,40\n\n1,-1,10,20,0,40\n")
    assert len(read_rows(path)) == 2
    with pytest.raises(BadInput, match=r"rows.txt:3: 10,20,0,40: expected a width and height > 0"):
        read_rows(path, empty_boxes=False)


def test_files_that_are_none(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "none.txt", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(BadInput, match=message):
            read_rows(path)
    with pytest.raises(BadInput, match="not text"):
        read_rows(written(tmp_path, "1,-1,1,1,1,1\n", "utf-16"))


finite = st.floats(-1e9, 1e9, allow_nan=False)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_what_is_written_is_read_back_the_same(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 8))
    places = data.draw(arrays.arrays(np.float64, (count, 3), elements=st.floats(-5.0, 5.0)))
    places[data.draw(arrays.arrays(np.bool_, count))] = np.nan
    boxes = data.draw(arrays.arrays(np.float64, (count, 4), elements=finite))
    boxes[:, 2:] = np.abs(boxes[:, 2:])
    before = rows(
        count,
        frames=data.draw(arrays.arrays(np.int64, count, elements=st.integers(0, 10_000_000))),
        ids=data.draw(arrays.arrays(np.int64, count, elements=st.integers(-1, 2**40))),
        boxes_ltwh=boxes,
        scores=data.draw(arrays.arrays(np.float64, count, elements=finite)),
        points_m=places,
    )
    path = tmp_path_factory.mktemp("rows") / "rows.txt"
    write_rows(path, before)
    after = read_rows(path)
    order = np.lexsort((before.ids, before.frames))
    for name in ("frames", "ids", "boxes_ltwh", "scores", "points_m", "class_ids"):
        expected = getattr(before, name)[order]
        if name == "points_m":  # a place of exactly -1,-1,-1 is how the format says that there is none
            expected[(expected == -1.0).all(axis=1)] = np.nan
        np.testing.assert_array_equal(getattr(after, name), expected, err_msg=name)


def test_the_text_is_sorted_and_short(tmp_path: Path) -> None:
    path = tmp_path / "tracks.txt"
    boxes = np.array([[1.0, 2.5, 3.0, 4.0], [281.931, -0.1, 3.0, 4.0], [0.0, 0.0, 1.0, 1.0]])
    places = np.array([[np.nan] * 3, [0.25, -1.0, 2.0], [np.nan] * 3])
    write_rows(path, rows(3, frames=[2, 1, 2], ids=[9, 4, 3], boxes_ltwh=boxes, scores=[0.5, 1, 1], points_m=places))
    assert path.read_text() == (
        "1,4,281.931,-0.1,3,4,1,0.25,-1,2\n2,3,0,0,1,1,1,-1,-1,-1\n2,9,1,2.5,3,4,0.5,-1,-1,-1\n"
    )


def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tracks.txt"
    path.write_text("what was there\n")

    def interrupted(self: Path, *_: object, **__: object) -> None:
        with self.open("w") as file:
            file.write("1,")
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_rows(path, rows(2))
    assert path.read_text() == "what was there\n"
    assert list(tmp_path.iterdir()) == [path]


def test_places_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "missing" / "tracks.txt", tmp_path / "folder"):
        with pytest.raises(BadInput, match="cannot be written"):
            write_rows(path, rows(1))
    assert [file.name for file in tmp_path.rglob("*")] == ["folder"]


def test_links_and_devices_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old\n")
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "real.txt")
    write_rows(link, rows(1))
    assert link.is_symlink()
    assert len(read_rows(tmp_path / "real.txt")) == 1
    write_rows("/dev/null", rows(1))
    assert not Path("/dev/null").is_file()


def test_shapes_are_checked_and_arrays_read_only() -> None:
    with pytest.raises(BadInput, match=r"boxes_ltwh of 2 rows has shape \(2, 3\): expected \(2, 4\)"):
        rows(2, boxes_ltwh=np.zeros((2, 3)))
    with pytest.raises(ValueError, match="read-only"):
        rows(2).scores[0] = 0.0


def test_real_files(shared_data: Path) -> None:
    folder = shared_data / "mot_TUD-Campus"
    if not folder.is_dir():
        pytest.skip(f"TUD-Campus not found at {folder}")
    found = {name: read_rows(folder / f"{name}.txt") for name in ("det", "gt", "test")}
    assert {name: len(one) for name, one in found.items()} == {"det": 321, "gt": 359, "test": 222}
    assert found["det"].frames.max() == found["gt"].frames.max() == 71
    assert len(np.unique(found["gt"].ids)) == 8
    assert (found["det"].ids == -1).all()
    assert (found["test"].scores == -1.0).all()
