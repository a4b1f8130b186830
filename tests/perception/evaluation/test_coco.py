from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.errors import BadInput
from perception.evaluation import Found, GroundTruth, coco_metrics, evaluate
from tests.perception.evaluation.albums import BOXES, Album, Eye, picture

pytest.importorskip("pycocotools")


def _table(rows: list[dict[str, Any]], number_of: dict[int, int], class_of: dict[int, int]) -> tuple[Any, Any, Any]:
    boxes = np.array([row["bbox"] for row in rows], np.float64)
    return (
        np.array([number_of[row["image_id"]] for row in rows]),
        np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]),
        np.array([class_of[row["category_id"]] for row in rows]),
    )


def test_published_figures_of_the_reference(shared_data: Path) -> None:
    folder = shared_data / "coco_eval_reference"
    labels = json.loads((folder / "gts" / "sampled_gts_bbox_area.json").read_text())
    results = json.loads((folder / "cocoapi_results.json").read_text())
    # Equal scores are ranked by picture: in the order of the ids, as in the run that was published.
    number_of = {name: number for number, name in enumerate(sorted(image["id"] for image in labels["images"]))}
    categories = sorted(labels["categories"], key=lambda category: category["id"])
    class_of = {category["id"]: number for number, category in enumerate(categories)}
    image_ids, boxes, class_ids = _table(labels["annotations"], number_of, class_of)
    truth = GroundTruth(
        tuple(category["name"] for category in categories), len(number_of), image_ids, boxes, class_ids,
        np.array([bool(row["iscrowd"]) for row in labels["annotations"]]),
        np.array([row["area"] for row in labels["annotations"]]),
    )  # fmt: skip
    metrics, curves = coco_metrics(
        truth, Found(*_table(results, number_of, class_of), np.array([row["score"] for row in results]))
    )
    published = {
        "map50_95": 0.503647, "map50": 0.696973, "map75": 0.571667, "aps": 0.593252, "apm": 0.557991, "apl": 0.489363,
        "ar100": 0.595353,
    }  # fmt: skip
    assert {name: getattr(metrics, name) for name in published} == pytest.approx(published, abs=1e-6)
    assert (metrics.frames, metrics.objects) == (100, 830)
    assert np.mean(list(metrics.per_class.values())) == pytest.approx(metrics.map50_95)
    assert curves.precision50.mean() == pytest.approx(metrics.map50)
    assert curves.precision75.mean() == pytest.approx(metrics.map75)


def truth(boxes: list[list[float]], classes: list[int], ignore: list[bool] | None = None) -> GroundTruth:
    array = np.array(boxes, np.float64).reshape(-1, 4)
    sizes = array[:, 2:] - array[:, :2]
    return GroundTruth(
        ("red_cube", "distractor"), 1, np.zeros(len(array), int), array, np.array(classes, int),
        np.array(ignore if ignore is not None else [False] * len(array), bool), sizes.prod(axis=1),
    )  # fmt: skip


def found(boxes: list[list[float]], classes: list[int], scores: list[float]) -> Found:
    array = np.array(boxes, np.float64).reshape(-1, 4)
    return Found(np.zeros(len(array), int), array, np.array(classes, int), np.array(scores, np.float64))


@pytest.mark.parametrize(
    ("hits", "expected"),
    [
        ([True, True], 1.0),
        ([True], 51 / 101),
        ([False, True], 51 / 101 * 0.5),
        ([True, False, True], (51 + 50 * 2 / 3) / 101),
        ([False], 0.0),
        ([], 0.0),
    ],
)
def test_average_precision_by_hand(hits: list[bool], expected: float) -> None:
    """Two objects of one class; the answers to them in the order of their scores, right or beside it."""
    right = iter(BOXES)
    boxes = [next(right) if hit else [300, 300, 340, 330] for hit in hits]
    metrics, _ = coco_metrics(
        truth(BOXES, [0, 0]), found(boxes, [0] * len(hits), [0.9 - 0.1 * number for number in range(len(hits))])
    )
    assert metrics.map50_95 == pytest.approx(expected)
    assert metrics.map50 == pytest.approx(expected)


def test_classes_without_objects_do_not_count() -> None:
    metrics, curves = coco_metrics(truth(BOXES, [1, 1]), found(BOXES, [1, 1], [0.9, 0.8]))
    assert metrics.per_class == pytest.approx({"distractor": 1.0})
    assert curves.class_names == ("distractor",)
    assert (metrics.aps, metrics.apl) == (None, None)
    assert json.loads(json.dumps(metrics.to_dict(), allow_nan=False))["apm"] == pytest.approx(1.0)
    assert len(json.loads(json.dumps(curves.to_dict(), allow_nan=False))["classes"]["distractor"]["precision50"]) == 101


def test_shifted_box_loses_the_strict_overlaps() -> None:
    metrics, _ = coco_metrics(truth(BOXES[:1], [0]), found([[14, 13, 54, 53]], [0], [0.9]))
    assert (metrics.map50, metrics.map75) == pytest.approx((1.0, 0.0))
    assert metrics.map50_95 == pytest.approx(0.5)  # overlap .714: five of ten thresholds


def test_ignored_objects_neither_count_nor_cost() -> None:
    labels = truth(BOXES, [0, 0], [False, True])
    for boxes in (BOXES, BOXES[:1]):
        metrics, _ = coco_metrics(labels, found(boxes[::-1], [0] * len(boxes), [0.9, 0.8][: len(boxes)]))
        assert (metrics.objects, metrics.map50_95, metrics.ar100) == pytest.approx((1, 1.0, 1.0))
    metrics, _ = coco_metrics(truth(BOXES[:1], [0]), found(BOXES[::-1], [0, 0], [0.9, 0.8]))
    assert metrics.map50_95 == pytest.approx(0.5)


def test_nothing_to_score(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadInput, match="1 frames hold no labelled object"):
        coco_metrics(truth([], []), found([], [], []))
    coco_metrics(truth(BOXES, [0, 1]), found([], [], []))
    assert capsys.readouterr().out == ""


def test_classes_are_matched_by_name() -> None:
    album = Album(("cup", "cube"), picture(BOXES, [0, 1]), picture([], []))
    metrics = evaluate(Eye(("cube", "ball", "cup"), [(BOXES, [2, 0]), ([], [])]), album)
    assert metrics.per_class == pytest.approx({"cup": 1.0, "cube": 1.0})
    assert (metrics.frames, metrics.objects) == (2, 2)
    swapped = evaluate(Eye(("cube", "ball", "cup"), [(BOXES, [0, 2]), ([], [])]), album)
    assert swapped.map50 == 0.0
    assert swapped.frames_sha256 == metrics.frames_sha256, "the hash is of the pictures, not of the answers"


def test_only_shared_classes_are_looked_at() -> None:
    album = Album(("cup", "cube"), picture(BOXES, [0, 1]))
    metrics = evaluate(Eye(("cube", "ball"), [(BOXES, [1, 0])]), album)
    assert metrics.objects == 1
    assert metrics.per_class == pytest.approx({"cube": 1.0})


def test_labels_without_names_take_the_models() -> None:
    album = Album(("0", "1"), picture(BOXES, [0, 1]))
    named = evaluate(Eye(("cube", "ball", "cup"), [(BOXES, [0, 1])]), album)
    assert named.per_class == pytest.approx({"cube": 1.0, "ball": 1.0})
    with pytest.raises(BadInput, match=r"classes 0\.\.1 without names, and the model knows 1: cube"):
        evaluate(Eye(("cube",), [([], [])]), album)


@pytest.mark.parametrize(("labels", "named"), [(("cup",), "cup"), (tuple(f"c{n}" for n in range(80)), "and 70 more")])
def test_no_class_in_common_is_refused(labels: tuple[str, ...], named: str) -> None:
    with pytest.raises(BadInput, match=f"the model knows cube, the labels .*{named}: no class in common"):
        evaluate(Eye(("cube",), [([], [])]), Album(labels, picture(BOXES, [0, 0])))


def test_the_hash_is_of_pixels_and_labels() -> None:
    eye = Eye(("cube",), [(BOXES, [0, 0])])
    hashes = [
        evaluate(eye, Album(("cube",), one)).frames_sha256
        for one in (
            picture(BOXES, [0, 0]), picture(BOXES, [0, 0]), picture(BOXES, [0, 0], 1), picture(BOXES[::-1], [0, 0]),
        )
    ]  # fmt: skip
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_an_empty_set() -> None:
    with pytest.raises(BadInput, match="no pictures"):
        evaluate(Eye(("cube",), []), Album(("cube",)))
