"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize("module", ["assignment", "checks", "symmetric"])
def test_examples(module: str) -> None:
    results = doctest.testmod(importlib.import_module(f"tracking.{module}"), optionflags=doctest.ELLIPSIS)
    assert results.attempted
    assert not results.failed
