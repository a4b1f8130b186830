from __future__ import annotations

import json

import numpy as np
import pytest

from deploy.errors import BadInput
from perception.evaluation import compare
from tests.perception.evaluation.albums import BOXES, Eye

IMAGES = [np.zeros((200, 200, 3), np.uint8)] * 2


def test_a_detector_equals_itself() -> None:
    eye = Eye(("a", "b"), [(BOXES, [0, 1]), ([], [])])
    parity = compare(eye, eye, IMAGES)
    assert (parity.frames, parity.matched, parity.share) == (2, 2, 1.0)
    assert (parity.box_px.max, parity.score.max) == (0.0, 0.0)
    assert parity.per_class["a"].matched == 1


def test_errors_are_of_matched_boxes() -> None:
    reference = Eye(("a", "b"), [(BOXES, [0, 1])], [[0.9, 0.8]])
    moved = [[11, 10, 50, 48], [100, 100, 160, 140], [0, 150, 30, 200]]
    candidate = Eye(("a", "b"), [(moved, [0, 1, 1])], [[0.7, 0.85, 0.3]])
    parity = compare(reference, candidate, IMAGES[:1])
    assert (parity.reference, parity.candidate, parity.matched) == (2, 3, 2)
    assert parity.share == pytest.approx(2 / 3)
    assert (parity.box_px.p50, parity.box_px.max) == (1.0, 2.0)
    assert parity.score.max == pytest.approx(0.2)
    assert (parity.per_class["b"].reference, parity.per_class["b"].candidate) == (1, 2)
    assert len(parity.line()) == len(parity.header())
    assert json.loads(json.dumps(parity.to_dict(), allow_nan=False))["box_px"]["max"] == 2.0


def test_other_class_is_no_match_and_nothing_is_parity() -> None:
    parity = compare(Eye(("a", "b"), [(BOXES, [0, 1])]), Eye(("a", "b"), [(BOXES, [1, 0])]), IMAGES)
    assert (parity.matched, parity.share, parity.box_px.p99) == (0, 0.0, 0.0)
    assert compare(Eye(("a",), [([], [])]), Eye(("a",), [([], [])]), IMAGES).share == 1.0


def test_refused() -> None:
    with pytest.raises(BadInput, match="the candidate knows b, a, the reference a, b"):
        compare(Eye(("a", "b"), []), Eye(("b", "a"), []), IMAGES)
    with pytest.raises(BadInput, match="no pictures"):
        compare(Eye(("a",), []), Eye(("a",), []), [])
