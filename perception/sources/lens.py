"""Lens models of camera drivers, brought to the Brown-Conrady coefficients that `geometry.Camera` takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deploy.errors import BadInput
from geometry.camera import Camera
from geometry.projection import deproject
from geometry.types import Array

# How far the fitted model may be from the driver's anywhere in the image.
FIT_LIMIT_PX = 0.25
GRID = 24


def brown_conrady_camera(model: str, coefficients: Sequence[float], pinhole: Camera, where: str) -> Camera:
    """Camera with the distortion of a driver's lens model.

    `brown conrady` with its five coefficients (k1, k2, p1, p2, k3) is OpenCV's model. `modified brown conrady` applies
    the tangential part to radially bent directions. `inverse brown conrady`, which colour cameras of the D400 series
    report, is in librealsense's code the same as the modified one, in both directions and since 2.44; its documentation
    says that it undistorts. These two are converted by linear least squares over the image, which is exact to a small
    part of a pixel for real lenses.

    Args:
        model: Name of the model, in any case, words separated by spaces, underscores or dots.
        coefficients: k1, k2, p1, p2, k3; all zero means no distortion whatever the model.
        pinhole: Size, focal lengths and principal point.
        where: Camera or topic, for errors.

    Returns:
        The same pinhole with distortion for OpenCV's model.

    Raises:
        BadInput: If the model is another one (fisheye), or the fit misses by more than 0.25 px.
    """
    values = [float(value) for value in coefficients]
    if not any(values):
        return pinhole
    name = " ".join(model.replace("_", " ").replace(".", " ").lower().split()[-3:]).removeprefix("distortion ")
    if name in ("brown conrady", "plumb bob") and len(values) <= 5:
        return _with(pinhole, values)
    ideal, measured = _directions(name, values, pinhole, where)
    fitted = _with(pinhole, _fit(ideal, measured))
    _check(fitted, ideal, measured, name, where)
    return fitted


def _directions(name: str, values: list[float], pinhole: Camera, where: str) -> tuple[Array, Array]:
    """Ideal and measured directions, shape (N, 2) each, of a grid over the image."""
    if name not in ("inverse brown conrady", "modified brown conrady") or len(values) > 5:
        raise BadInput(
            f"{where}: lens model {name!r} with {len(values)} coefficients is not supported; expected brown conrady, "
            "inverse or modified too, with five; undistort the images first"
        )
    u, v = np.meshgrid(np.linspace(0, pinhole.width - 1, GRID), np.linspace(0, pinhole.height - 1, GRID))
    x, y = (u.ravel() - pinhole.cx) / pinhole.fx, (v.ravel() - pinhole.cy) / pinhole.fy
    k1, k2, p1, p2, k3 = (values + [0.0] * 5)[:5]
    r2 = x * x + y * y
    radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    a, b = x * radial, y * radial
    measured_x = a + 2.0 * p1 * a * b + p2 * (r2 + 2.0 * a * a)
    measured_y = b + 2.0 * p2 * a * b + p1 * (r2 + 2.0 * b * b)
    return np.stack([x, y], axis=1), np.stack([measured_x, measured_y], axis=1)


def _fit(ideal: Array, measured: Array) -> list[float]:
    """The Brown-Conrady model is linear in its coefficients: measured - ideal = A (k1, k2, p1, p2, k3)."""
    x, y = ideal[:, 0], ideal[:, 1]
    r2 = x * x + y * y
    rows_x = np.stack([x * r2, x * r2**2, 2.0 * x * y, r2 + 2.0 * x * x, x * r2**3], axis=1)
    rows_y = np.stack([y * r2, y * r2**2, r2 + 2.0 * y * y, 2.0 * x * y, y * r2**3], axis=1)
    difference = measured - ideal
    solution = np.linalg.lstsq(
        np.concatenate([rows_x, rows_y]), np.concatenate([difference[:, 0], difference[:, 1]]), rcond=None
    )[0]
    return [float(value) for value in solution]


def _check(camera: Camera, ideal: Array, measured: Array, name: str, where: str) -> None:
    pixels = np.stack([measured[:, 0] * camera.fx + camera.cx, measured[:, 1] * camera.fy + camera.cy], axis=1)
    points = deproject(pixels, np.ones(len(pixels)), camera)
    error = np.nan_to_num(np.abs(points[:, :2] - ideal), nan=np.inf) * (camera.fx, camera.fy)
    worst = float(error.max())
    if worst > FIT_LIMIT_PX:
        raise BadInput(
            f"{where}: lens model {name!r} fits Brown-Conrady to {worst:.2f} px only; expected at most {FIT_LIMIT_PX} "
            "px; undistort the images first"
        )


def _with(pinhole: Camera, distortion: Sequence[float]) -> Camera:
    return Camera(pinhole.width, pinhole.height, pinhole.fx, pinhole.fy, pinhole.cx, pinhole.cy, tuple(distortion))
