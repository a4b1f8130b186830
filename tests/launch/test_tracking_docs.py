"""The programs in docs/tracking.md run, and its figures are those of the code."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from tracking import ImageTrackerParameters, TrackerParameters

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "tracking.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
FIGURES = re.findall(r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \|", TEXT, flags=re.MULTILINE)


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_run(program: str) -> None:
    exec(compile(program, "docs/tracking.md", "exec"), {})


def test_there_is_something_to_check() -> None:
    assert len(PROGRAMS) >= 3
    assert len(FIGURES) >= 8


@pytest.mark.parametrize(("name", "image", "base"), FIGURES)
def test_figures_are_the_defaults(name: str, image: str, base: str) -> None:
    for parameters, figure in ((ImageTrackerParameters(), image), (TrackerParameters(), base)):
        assert name in {field.name for field in fields(parameters)}
        assert getattr(parameters, name) == float(figure)
