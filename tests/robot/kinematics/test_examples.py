"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize("module", ["forward", "models"])
def test_examples(module: str) -> None:
    results = doctest.testmod(importlib.import_module(f"robot.kinematics.{module}"))
    assert results.attempted
    assert not results.failed
