"""Numbers as MuJoCo's XML wants them."""

from __future__ import annotations

from collections.abc import Iterable

from robot.sim.scene import Rgb


def rgba(rgb: Rgb) -> str:
    """An opaque colour as an attribute."""
    return f'rgba="{rgb[0]:.4f} {rgb[1]:.4f} {rgb[2]:.4f} 1"'


def vec(values: Iterable[float]) -> str:
    """Numbers with spaces between them."""
    return " ".join(f"{value:.9g}" for value in values)
