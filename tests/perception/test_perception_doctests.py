"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "perception.decode",
        "perception.decode_anchors",
        "perception.decode_sets",
        "perception.letterbox",
        "perception.model_metadata",
        "perception.nms",
    ],
)
def test_examples(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted
    assert not result.failed
