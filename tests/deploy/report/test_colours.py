"""The page's colours: text that can be read, stages that people who see colours differently can tell apart."""

from __future__ import annotations

import itertools
import re
from importlib.resources import files

import numpy as np
import numpy.typing as npt
import pytest

STYLE = files("deploy.report").joinpath("assets/page.css").read_text()
STAGES = ("capture", "detect", "localize", "track", "plan", "ik", "send")
RUNGS = tuple(f"rung-{number}" for number in range(7))
TEXT = (
    *itertools.product(("ink", "quiet", "good", "bad", "link"), ("ground", "card")),
    ("ink", "bad-ground"), ("bad", "bad-ground"), ("quiet", "bad-ground"), ("on-state", "good"), ("quiet", "faint"),
    *((stage, "card") for stage in STAGES), *(("on-stage", stage) for stage in STAGES),
    *(("on-stage", rung) for rung in RUNGS),
)  # fmt: skip
# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009
SEEN_BY = {
    "most people": np.eye(3),
    "people with protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "people with deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def scheme(name: str) -> dict[str, npt.NDArray[np.float64]]:
    """Linear RGB by name."""
    light, dark = STYLE.split("prefers-color-scheme: dark", 1)
    text = light if name == "light" else dark
    found: dict[str, npt.NDArray[np.float64]] = {}
    for key, code in re.findall(r"--([\w-]+): #([0-9a-f]{6});", text):
        values = np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) / 255
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        found.setdefault(key, linear)  # what comes later is for paper
    return found


def contrast(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """The ratio of WCAG 2."""
    dark, bright = sorted(float(XYZ[1] @ colour) for colour in (one, other))
    return (bright + 0.05) / (dark + 0.05)


def lab(linear: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """CIE L*a*b* under D65."""
    x, y, z = np.cbrt(XYZ @ np.clip(linear, 0, 1) / np.array([0.9505, 1.0, 1.089]))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT)
def test_text_has_the_contrast_of_wcag_aa(name: str, text: str, ground: str) -> None:
    colours = scheme(name)
    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("eyes", SEEN_BY)
def test_stages_can_be_told_apart(name: str, eyes: str) -> None:
    colours = scheme(name)
    seen = {stage: lab(SEEN_BY[eyes] @ colours[stage]) for stage in STAGES}
    for one, other in itertools.combinations(STAGES, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 12, (one, other)


def test_both_schemes_name_the_same_colours() -> None:
    assert scheme("light").keys() == scheme("dark").keys()
