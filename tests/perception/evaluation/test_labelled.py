"""Labels of every kind: written, opened again, and refused in one sentence when they cannot be used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from deploy.errors import BadInput
from perception.evaluation import LabelledImage, LabelledSet, open_labelled
from perception.evaluation.writing import WRITERS
from tests.perception.evaluation.albums import BOXES, NAMES, Album, album, picture


def same(found: LabelledSet, expected: LabelledSet, *, ignored: bool = True) -> None:
    """Pictures and boxes are equal, and classes by name; without `ignored`, those that do not count are absent."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        rows = np.ones(len(other), bool) if ignored else ~other.ignore
        assert np.array_equal(one.image, other.image)
        assert one.boxes == pytest.approx(other.boxes[rows], abs=1e-3)
        assert [found.class_names[i] for i in one.class_ids] == [expected.class_names[i] for i in other.class_ids[rows]]
        assert one.ignore.tolist() == other.ignore[rows].tolist()


@pytest.mark.parametrize("kind", ["yolo", "coco", "voc"])
@pytest.mark.parametrize("by", ["file", "folder"])
def test_written_and_read(tmp_path: Path, kind: str, by: str) -> None:
    written = WRITERS[kind](album(), tmp_path / "set", "val")
    found = open_labelled(written if by == "file" else tmp_path / "set")
    same(found, album(), ignored=kind != "yolo")
    assert set(found.class_names) == set(NAMES)
    moved = shutil.move(tmp_path / "set", tmp_path / "moved")
    same(open_labelled(moved), album(), ignored=kind != "yolo")
    with pytest.raises(BadInput, match="exists and is not an empty folder"):
        WRITERS[kind](album(), tmp_path / "moved", "val")


def yolo(folder: Path, labels: str | None = "0 0.5 0.5 0.2 0.4\n", data: str = "") -> Path:
    for name in ("images/val", "labels/val"):
        (folder / name).mkdir(parents=True)
    cv2.imwrite(str(folder / "images/val/a.png"), np.zeros((50, 100, 3), np.uint8))
    if labels is not None:
        (folder / "labels/val/a.txt").write_text(labels)
    (folder / "data.yaml").write_text(data or "names: [cube, cup]\nval: images/val\n")
    return folder


@pytest.mark.parametrize(
    "data",
    [
        "names: [cube, cup]\nval: images/val\n",
        "names: {0: cube, 1: cup}\nnc: 2\npath: .\nval: [images/val]\n",
        "names: [cube, cup]\npath: /gone/elsewhere\nval: images/val\n",
        "names: [cube, cup]\nval: list.txt\n",
        "names: [cube, cup]\nvalid: images/val\n",
    ],
)
def test_data_yaml(tmp_path: Path, data: str) -> None:
    folder = yolo(tmp_path, data=data)
    (folder / "list.txt").write_text("./images/val/a.png\n\n")
    (one,) = open_labelled(folder / "data.yaml")
    assert one.boxes.tolist() == [pytest.approx([40, 15, 60, 35])]
    assert one.name == "a.png"


def test_yolo_folder_alone(tmp_path: Path) -> None:
    (yolo(tmp_path, labels="2 0.5 0.5 0.2 0.4\n") / "data.yaml").unlink()
    assert open_labelled(tmp_path).class_names == ("0", "1", "2"), "numbers stand for names that nobody gave"
    with pytest.raises(BadInput, match="no split 'test'; it has val"):
        open_labelled(tmp_path, "test")
    (tmp_path / "classes.txt").write_text("cube\ncup\nbowl\n")
    assert open_labelled(tmp_path).class_names == ("cube", "cup", "bowl")
    for kind in ("images", "labels"):
        for file in (tmp_path / kind / "val").iterdir():
            file.rename(tmp_path / kind / file.name)
        (tmp_path / kind / "val").rmdir()
    assert len(open_labelled(tmp_path)) == 1


def test_yolo_outline_is_boxed(tmp_path: Path) -> None:
    (one,) = open_labelled(yolo(tmp_path, labels="1 0.1 0.2 0.5 0.1 0.3 0.9\n"))
    assert one.boxes.tolist() == [pytest.approx([10, 5, 50, 45])]


def test_yolo_picture_without_labels_shows_nothing(tmp_path: Path) -> None:
    folder = yolo(tmp_path)
    cv2.imwrite(str(folder / "images/val/b.png"), np.zeros((50, 100, 3), np.uint8))
    assert [len(one) for one in open_labelled(folder)] == [1, 0]


@pytest.mark.parametrize(
    ("labels", "data", "message"),
    [
        ("0 0.5 0.5 0.2\n", "", r"a\.txt:1: 4 columns; expected 5"),
        ("0 0.5 0.5 0.2 0.4 0.9\n", "", "6 columns"),
        ("0 0.5 0.5 0.2 0.4\n2 0.5 0.5 0.2 0.4\n", "", r"a\.txt:2: class id 2; expected 0\.\.1 \(cube, cup\)"),
        ("-1 0.5 0.5 0.2 0.4\n", "", "class id -1"),
        ("0.5 0.5 0.5 0.2 0.4\n", "", "class id 0.5"),
        ("cube 0.5 0.5 0.2 0.4\n", "", "are not numbers"),
        ("0 0.5 0.5 nan 0.4\n", "", "has no size"),
        ("0 0.5 0.5 0 0.4\n", "", "has no size"),
        ("0 0.9 0.5 0.4 0.4\n", "", "reaches out of its image of 1x1"),
        ("0 50 25 20 20\n", "", "reaches out of its image"),
        (None, "", "none of 1 pictures has labels; expected files such as .*labels/val/a.txt"),
        ("", "names: [cube]\nval: images/gone\n", "val is images/gone, which is not in"),
        ("", "names: [cube]\ntrain: images/val\n", "no split 'val'; it has train"),
        ("", "names: cube\nval: images/val\n", "names are 'cube'; expected a list"),
        ("", "names: {1: cube}\nval: images/val\n", r"numbered 1; expected 0\.\.0"),
        ("", "nc: 3\nnames: [cube]\nval: images/val\n", "nc is 3, with 1 names"),
        ("", "names: [cube, cup, cube]\nval: images/val\n", "names are cube, cup, cube, one of them twice"),
        ("", "names: [cube\n", "not YAML"),
        ("", "names\n", "holds a str"),
        ("", "names: [cube]\nval: labels/val\n", "no .jpg.* files there"),
        ("", "names: [cube]\nval: list.txt\n", "its picture images/val/gone.png does not exist"),
    ],
)
def test_yolo_refused(tmp_path: Path, labels: str | None, data: str, message: str) -> None:
    folder = yolo(tmp_path, labels, data)
    (folder / "list.txt").write_text("images/val/gone.png\n")
    with pytest.raises(BadInput, match=message) as caught:
        open_labelled(folder)
    assert len(str(caught.value).splitlines()) == 1


def coco(folder: Path, change: Callable[[dict], object] = lambda _: None) -> Path:
    """Two pictures, categories 7 and 90, the second picture with a crowd."""
    (folder / "val2017").mkdir(parents=True)
    (folder / "annotations").mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / "val2017" / name), np.zeros((200, 200, 3), np.uint8))
    content = {
        "images": [
            {"id": 42, "file_name": "b.png", "width": 200, "height": 200},
            {"id": 9, "file_name": "a.png", "width": 200, "height": 200},
        ],
        "categories": [{"id": 90, "name": "cup"}, {"id": 7, "name": "cube"}],
        "annotations": [
            {"id": 1, "image_id": 9, "category_id": 90, "bbox": [10, 20, 30, 40.5], "area": 700, "iscrowd": 0},
            {"id": 2, "image_id": 42, "category_id": 7, "bbox": [0, 0, 200.4, 100], "iscrowd": 1},
        ],
    }
    change(content)
    file = folder / "annotations" / "instances_val2017.json"
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize("by", ["file", "folder"])
def test_coco_as_it_is_distributed(tmp_path: Path, by: str) -> None:
    file = coco(tmp_path)
    found = open_labelled(file if by == "file" else tmp_path)
    assert found.class_names == ("cube", "cup")
    first, second = found
    assert (first.name, second.name) == ("a.png", "b.png"), "in the order of the ids"
    assert first.boxes.tolist() == [[10, 20, 40, 60.5]]
    assert (first.class_ids.tolist(), first.areas.tolist(), first.ignore.tolist()) == ([1], [700.0], [False])
    assert (second.boxes.tolist(), second.ignore.tolist()) == ([[0, 0, 200, 100]], [True])
    with pytest.raises(BadInput, match=r"no COCO file of split 'train'; it has instances_val2017\.json"):
        open_labelled(tmp_path, "train")


def _change(path: tuple, value: object) -> Callable[[dict], object]:
    def change(content: dict) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_change(("annotations", 0, "category_id"), 1), r"annotation 1: category_id 1; expected one of \[7, 90\]"),
        (_change(("annotations", 0, "image_id"), 1), "image_id 1 is not the id of one of its 2 images"),
        (_change(("annotations", 0, "bbox"), [1, 2, 3]), "four numbers"),
        (_change(("annotations", 0, "bbox"), [1, 2, 0, 3]), "has no size"),
        (_change(("annotations", 0, "bbox"), [150, 2, 90, 3]), "reaches out of its image of 200x200"),
        (_change(("annotations", 0), {"id": 3}), "expected image_id, category_id and bbox"),
        (_change(("images", 0, "id"), 9), "two images have id 9"),
        (_change(("images", 0), {"id": 3}), "expected id, file_name, width and height"),
        (_change(("images", 0, "file_name"), "gone.png"), "its picture .*gone.png does not exist"),
        (_change(("images", 1, "file_name"), "gone.png"), "gone.png does not exist"),
        (_change(("images",), {}), "no list 'images'"),
        (lambda content: content.update(images=[], annotations=[]), "no images in it"),
        (_change(("categories", 0, "id"), 7), "two categories have the same id or name"),
        (_change(("categories", 0), {"id": "x"}), "expected a whole-number id and a name"),
    ],
)
def test_coco_refused(tmp_path: Path, change: Callable[[dict], object], message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        open_labelled(coco(tmp_path, change))
    assert len(str(caught.value).splitlines()) == 1


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    found = open_labelled(coco(tmp_path))
    cv2.imwrite(str(tmp_path / "val2017" / "a.png"), np.zeros((100, 200, 3), np.uint8))
    with pytest.raises(BadInput, match=r"200x100 px, and its labels in .* are of a picture of 200x200"):
        list(found)
    (tmp_path / "val2017" / "a.png").write_text("no picture")
    with pytest.raises(BadInput, match="not an image"):
        list(found)


def test_not_json(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(BadInput, match="not JSON"):
        open_labelled(tmp_path / "x.json")


OBJECT = (
    "<object><name>cup</name><pose>Left</pose>{difficult}<part><name>hand</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
    "<xmax>2</xmax><ymax>2</ymax></bndbox></part><bndbox><xmin>{xmin}</xmin><ymin>11</ymin><xmax>50</xmax>"
    "<ymax>60.0</ymax></bndbox></object>"
)


def voc(folder: Path, text: str) -> Path:
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    cv2.imwrite(str(folder / "JPEGImages" / "a.jpg"), np.zeros((80, 100, 3), np.uint8))
    (folder / "Annotations" / "a.xml").write_text(text)
    (folder / "ImageSets" / "Main" / "val.txt").write_text("a\n")
    return folder


def annotation(*objects: str, head: str = "") -> str:
    size = "<size><width>100</width><height>80</height><depth>3</depth></size>"
    return f"{head}<annotation><filename>a.jpg</filename>{size}{''.join(objects)}</annotation>"


def test_voc_counts_from_one(tmp_path: Path) -> None:
    text = annotation(OBJECT.format(xmin=11, difficult=""), OBJECT.format(xmin=1, difficult="<difficult>1</difficult>"))
    (one,) = open_labelled(voc(tmp_path, text))
    assert one.boxes.tolist() == [[10, 10, 50, 60], [0, 10, 50, 60]]
    assert one.ignore.tolist() == [False, True]


def test_voc_of_tools_that_count_from_zero(tmp_path: Path) -> None:
    text = annotation(OBJECT.format(xmin=11, difficult=""), OBJECT.format(xmin=0, difficult=""))
    (one,) = open_labelled(voc(tmp_path, text))
    assert one.boxes.tolist() == [[11, 11, 50, 60], [0, 11, 50, 60]]


BOMB = '<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (annotation(head=BOMB), "declares a document type or entities"),
        (annotation(head='<!DOCTYPE a SYSTEM "file:///etc/passwd">'), "declares a document type or entities"),
        ("<annotation>", "not XML"),
        ("<annotation></annotation>", "no size of the picture"),
        (annotation("<object><name>cup</name></object>"), "object 1 has no box"),
        (annotation(OBJECT.format(xmin="x", difficult="")), "object 1 has no box"),
        (annotation(OBJECT.format(xmin=60, difficult="")), "has no size"),
        (annotation(OBJECT.format(xmin=-9, difficult="")), "reaches out of its image of 100x80"),
        (annotation(OBJECT.format(xmin=9, difficult="").replace("<name>cup", "<name>", 1)), "has no <name>"),
    ],
)
def test_voc_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        open_labelled(voc(tmp_path, text))
    assert len(str(caught.value).splitlines()) == 1


def test_voc_splits(tmp_path: Path) -> None:
    folder = voc(tmp_path, annotation())
    with pytest.raises(BadInput, match="no split 'test'; it has val"):
        open_labelled(folder, "test")
    (folder / "ImageSets" / "Main" / "val.txt").write_text("a\nb\n")
    with pytest.raises(BadInput, match="b has no labels"):
        open_labelled(folder)
    (folder / "ImageSets" / "Main" / "val.txt").unlink()
    (folder / "JPEGImages" / "a.jpg").unlink()
    with pytest.raises(BadInput, match=r"its picture .*JPEGImages/a\.jpg does not exist"):
        open_labelled(folder)


def test_a_split_that_coco_has_not_is_named(tmp_path: Path) -> None:
    WRITERS["coco"](album(), tmp_path / "set", "val")
    with pytest.raises(BadInput, match=r"no COCO file of split 'test'; it has instances_val\.json"):
        open_labelled(tmp_path / "set", "test")
    annotations = tmp_path / "set" / "annotations"
    (annotations / "instances_val.json").rename(annotations / "train.json")
    with pytest.raises(BadInput, match=r"no COCO file of split 'val'; it has train\.json"):
        open_labelled(tmp_path / "set")
    (annotations / "train.json").rename(annotations / "labels.json")
    assert len(open_labelled(tmp_path / "set")) == len(album())


@pytest.mark.parametrize("text", ["cube\n\ncup\n", "cube\ncube\n"])
def test_a_list_of_classes_has_no_gaps(tmp_path: Path, text: str) -> None:
    WRITERS["yolo"](album(), tmp_path, "val")
    (tmp_path / "data.yaml").unlink()
    (tmp_path / "classes.txt").write_text(text)
    with pytest.raises(BadInput, match=r"classes\.txt: line 2 is empty or a class twice"):
        open_labelled(tmp_path)


@pytest.mark.parametrize("name", ["gone", "empty", "notes.txt"])
def test_nothing_labelled(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(BadInput, match=r"expected a YOLO data\.yaml"):
        open_labelled(tmp_path / name)


def test_columns_of_a_picture_agree() -> None:
    with pytest.raises(BadInput, match="2 boxes, 1 class ids"):
        picture(BOXES, [0])
    one = LabelledImage("p", np.zeros((9, 9, 3), np.uint8), np.array([[1, 1, 3, 5]]), np.array([0]))
    assert (one.ignore.tolist(), one.areas.tolist()) == ([False], [8.0])
    same(Album(NAMES, picture(BOXES, [0, 1])), Album(NAMES, picture(BOXES, [0, 1])))
