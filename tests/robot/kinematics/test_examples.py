"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
import importlib


def test_examples() -> None:
    results = doctest.testmod(importlib.import_module("robot.kinematics.forward"))
    assert results.attempted
    assert not results.failed
