"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize("module", ["camera", "pose", "pose_buffer", "projection", "uncertainty"])
def test_examples(module: str) -> None:
    results = doctest.testmod(importlib.import_module(f"geometry.{module}"), optionflags=doctest.ELLIPSIS)
    assert results.attempted
    assert not results.failed
