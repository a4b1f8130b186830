from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from launch.bag import topics
from perception.sources import realsense_bag


@pytest.mark.parametrize("module", [realsense_bag, topics], ids=lambda module: module.__name__)
def test_examples(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
