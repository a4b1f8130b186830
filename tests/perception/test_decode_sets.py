"""RT-DETR and DETR: fractions of the input become pixels, the background is no class, the best come first."""

from __future__ import annotations

import numpy as np
import pytest

from perception.decode_sets import decode_detr, decode_query_rows, decode_query_scores

SIZE = (320, 256)
BOXES = [[0.5, 0.5, 0.2, 0.4], [0.25, 0.75, 0.5, 0.5], [0.1, 0.1, 0.1, 0.1]]
# The text (28.21) calls these normalized corners; DETR and RT-DETR give centre and size, and so is it decoded.
CORNERS = [[128.0, 76.8, 192.0, 179.2], [0.0, 128.0, 160.0, 256.0], [16.0, 12.8, 48.0, 38.4]]


def test_query_rows() -> None:
    rows = np.array([[*BOXES[0], 0.3, 1], [*BOXES[1], 0.9, 0], [*BOXES[2], 0.1, 1], [*BOXES[1], 0.5, 1]], np.float32)
    found = decode_query_rows(rows[None], 0.25, SIZE)
    np.testing.assert_allclose(found.boxes, [CORNERS[1], CORNERS[1], CORNERS[0]], rtol=1e-6)  # a query in two classes
    np.testing.assert_allclose(found.scores, [0.9, 0.5, 0.3])
    assert found.class_ids.tolist() == [0, 1, 1]
    assert (found.boxes.dtype, found.scores.dtype, found.class_ids.dtype) == (np.float32, np.float32, np.int32)


def test_query_scores() -> None:
    scores = [[0.1, 0.3], [0.9, 0.2], [0.2, 0.1]]
    found = decode_query_scores(np.array([np.hstack((BOXES, scores))], np.float32), 0.25, SIZE)
    np.testing.assert_allclose(found.boxes, [CORNERS[1], CORNERS[0]], rtol=1e-6)
    np.testing.assert_allclose(found.scores, [0.9, 0.3])
    assert found.class_ids.tolist() == [0, 1]


def test_detr_is_a_softmax_with_the_background_last() -> None:
    logits = np.array([[[1.0, 3.0, 2.0], [0.0, 0.0, 9.0], [5.0, 1.0, 0.0]]], np.float32)
    found = decode_detr(logits, np.array([BOXES], np.float32), 0.5, SIZE)
    powers = np.exp(logits[0].astype(float))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.scores, [probabilities[2, 0], probabilities[0, 1]], rtol=1e-6)
    np.testing.assert_allclose(found.boxes, [CORNERS[2], CORNERS[0]], rtol=1e-6)
    assert found.class_ids.tolist() == [0, 1]
    # A sigmoid, or a softmax without the background, would let the second query pass.
    assert len(decode_detr(logits[:, 1:2], np.array([BOXES[1:2]], np.float32), 0.01, SIZE)) == 0


def test_the_softmax_bears_large_logits() -> None:
    logits = np.array([[[1e4, 0.0, -1e4]]], np.float32)
    assert decode_detr(logits, np.array([BOXES[:1]], np.float32), 0.5, SIZE).scores.tolist() == [1.0]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.filterwarnings("error")
def test_queries_that_are_not_finite_are_dropped(bad: float) -> None:
    boxes, logits = np.array([BOXES], np.float32), np.array([[[5.0, 0, 0], [4.0, 0, 0], [3.0, 0, 0]]], np.float32)
    boxes[0, 0, 2], logits[0, 1, 0] = bad, bad
    found = decode_detr(logits, boxes, 0.0, SIZE)
    np.testing.assert_allclose(found.boxes, CORNERS[2:], rtol=1e-6)
    rows = np.concatenate((boxes, np.abs(logits) / 10), axis=2)
    np.testing.assert_allclose(decode_query_scores(rows, 0.1, SIZE).boxes, CORNERS[2:], rtol=1e-6)
    assert decode_query_rows(rows[:, :, [0, 1, 2, 3, 4, 5]], 0.1, SIZE).scores.tolist() == pytest.approx([0.3])


def test_equal_scores_keep_their_order() -> None:
    rows = np.array([[*BOXES[n], 0.5, n] for n in (2, 0, 1)], np.float32)
    assert decode_query_rows(rows[None], 0.5, SIZE).class_ids.tolist() == [2, 0, 1]
