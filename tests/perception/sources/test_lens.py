from __future__ import annotations

import numpy as np
import pytest

from deploy.errors import BadInput
from geometry import Camera, deproject
from perception.sources.lens import brown_conrady_camera

PINHOLE = Camera(640, 480, 600.0, 605.0, 321.0, 238.0)
# Colour camera of a D455, as its calibration table gives it.
D455 = (-0.0562, 0.0673, -0.00035, 0.00071, -0.0214)


@pytest.mark.parametrize("model", ["brown_conrady", "inverse_brown_conrady", "ftheta", "kannala_brandt4"])
def test_no_distortion_is_a_pinhole_whatever_the_model(model: str) -> None:
    assert brown_conrady_camera(model, (0.0,) * 5, PINHOLE, "c") == PINHOLE


@pytest.mark.parametrize("model", ["brown_conrady", "distortion.brown_conrady", "Brown Conrady", "plumb_bob"])
def test_brown_conrady_is_taken_as_it_is(model: str) -> None:
    assert brown_conrady_camera(model, D455, PINHOLE, "c").distortion == D455


@pytest.mark.parametrize(
    "model",
    ["modified_brown_conrady", "inverse_brown_conrady", "distortion.inverse_brown_conrady", "Inverse Brown Conrady"],
)
def test_the_other_models_are_converted(model: str) -> None:
    """Against librealsense's formula (rs2_project_point_to_pixel), which is one for both."""
    k1, k2, p1, p2, k3 = values = (-0.12, 0.15, -0.012, 0.015, -0.03)
    x, y = np.random.default_rng(2).uniform((-0.5, -0.35), (0.5, 0.35), (100, 2)).T
    r2 = x * x + y * y
    f = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    a, b = x * f, y * f
    u = (a + 2 * p1 * a * b + p2 * (r2 + 2 * a * a)) * PINHOLE.fx + PINHOLE.cx
    v = (b + 2 * p2 * a * b + p1 * (r2 + 2 * b * b)) * PINHOLE.fy + PINHOLE.cy
    pixels, ideal = np.stack([u, v], axis=1), np.stack([x, y], axis=1)

    def worst_px(camera: Camera) -> float:
        return float(np.abs(deproject(pixels, np.ones(100), camera)[:, :2] - ideal).max() * 600.0)

    assert worst_px(brown_conrady_camera(model, values, PINHOLE, "c")) < 0.1
    # Taking the coefficients as they are would be worse by far.
    assert worst_px(brown_conrady_camera("brown_conrady", values, PINHOLE, "c")) > 0.3


@pytest.mark.parametrize(
    ("model", "values", "error"),
    [
        ("kannala_brandt4", (0.1, 0.0, 0.0, 0.0, 0.0), "'kannala brandt4' with 5 coefficients is not supported"),
        ("inverse_brown_conrady", (-0.5, 0.9, 0.3, 0.0, -1.0), "fits Brown-Conrady to"),
    ],
)
def test_lenses_that_are_refused(model: str, values: tuple[float, ...], error: str) -> None:
    with pytest.raises(BadInput, match=f"^wrist: .*{error}"):
        brown_conrady_camera(model, values, PINHOLE, "wrist")
