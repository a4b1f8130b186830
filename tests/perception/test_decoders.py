"""Decoders bound to a model's tensors: anchors and their style must be declared and agree with the outputs."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.backend import TensorSpec
from deploy.errors import BadInput
from perception.decoders import make_decoder
from perception.layouts import ANCHOR_GRID, Layout

SIZE = (320, 256)
FINE, COARSE = TensorSpec("fine", (1, 14, 16, 20), "float32"), TensorSpec("coarse", (1, 2, 8, 10, 7), "float16")
LAYOUT = Layout(ANCHOR_GRID, 2, (FINE, COARSE))
ANCHORS = '{"32": [[40, 50], [60, 70]], "16": [[10, 20], [30, 40]]}'


@pytest.mark.parametrize("style", ["v3", "v5"])
def test_scales_of_both_shapes_and_their_own_anchors(style: str) -> None:
    decode = make_decoder(LAYOUT, {"eyehand.anchors": ANCHORS, "eyehand.anchor_style": style}, SIZE)
    fine, coarse = np.full(FINE.shape, -20.0, np.float32), np.full(COARSE.shape, -20.0, np.float16)
    fine.reshape(2, 7, 16, 20)[1, :, 3, 5] = (0, 0, 0, 0, 9, 9, -9)
    coarse[0, 0, 6, 2] = (0, 0, 0, 0, 9, -9, 9)
    found = decode({"coarse": coarse, "fine": fine}, 0.5)
    # With t = 0 both styles put the box in the middle of its cell, as large as its anchor.
    np.testing.assert_allclose(
        found.boxes, [[5.5 * 16 - 15, 3.5 * 16 - 20, 5.5 * 16 + 15, 3.5 * 16 + 20], [60, 183, 100, 233]]
    )
    assert found.class_ids.tolist() == [0, 1]
    assert (found.boxes.dtype, found.scores.dtype) == (np.float32, np.float32)


@pytest.mark.parametrize(
    ("anchors", "style", "words"),
    [
        (ANCHORS, None, "anchor_style = None: expected v3 or v5"),
        (ANCHORS, "v4", "anchor_style = 'v4'"),
        (None, "v3", r"eyehand\.anchors = '' of a model with undecoded boxes: expected .* such as \{"),
        ("oops", "v3", "eyehand.anchors = 'oops'"),
        ("[[1, 2]]", "v3", "by stride"),
        ('{"a": [[1, 2]]}', "v3", "by stride"),
        ('{"16": [[1, 2], [3]], "32": [[1, 2], [3, 4]]}', "v3", "by stride"),
        ('{"16": [1, 2], "32": [[1, 2], [3, 4]]}', "v3", "by stride"),
        ('{"16": [[1, 2], [3, -4]], "32": [[1, 2], [3, 4]]}', "v3", "by stride"),
        ('{"16": [[1, 2], [3, Infinity]], "32": [[1, 2], [3, 4]]}', "v3", "by stride"),
        ('{"8": [[1, 2], [3, 4]], "32": [[1, 2], [3, 4]]}', "v3", r"strides \[8, 32\] and .* have \[16, 32\]"),
        ('{"16": [[1, 2]], "32": [[1, 2], [3, 4]]}', "v3", "2 anchors in a cell and .* lists 1 for stride 16"),
    ],
)
def test_anchors_that_do_not_fit_are_refused(anchors: str | None, style: str | None, words: str) -> None:
    said = {"eyehand.anchors": anchors, "eyehand.anchor_style": style}
    with pytest.raises(BadInput, match=words):
        make_decoder(LAYOUT, {key: value for key, value in said.items() if value is not None}, SIZE)
