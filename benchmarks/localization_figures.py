"""What is made of the answers of `localization.py`: figures, tables, pictures of the worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from cluttered_scenes import HIDDEN_LIMITS, RendererName, make_renderer, make_scene
from scipy.stats import chi2

from geometry import project
from geometry.types import Array

WITHIN_MM = 10.0
ELLIPSOID = float(chi2.ppf(0.95, 3))
ZOOM, MARGIN_PX = 4, 30


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Where a method saw an object.

    Attributes:
        number: Of the scene.
        row: Of the object in it.
        hidden: Part of the object that is hidden or outside the picture.
        box: Shape (4,), edges [px].
        point_m: Shape (3,), in base; NaN if there is none.
        error_m: Shape (3,), away from the truth.
        nees: Squared error in units of its covariance; NaN without one.
    """

    number: int
    row: int
    hidden: float
    box: Array
    point_m: Array
    error_m: Array
    nees: float

    @property
    def distance_mm(self) -> float:
        """From the truth."""
        return 1e3 * float(np.linalg.norm(self.error_m))


def squared_error(error_m: Array, covariance_m2: Array | None) -> float:
    """Of an error in units of its covariance, e^T C^-1 e; NaN where there is none of the two."""
    if covariance_m2 is None or not np.isfinite(covariance_m2).all():
        return float("nan")
    return float(error_m @ np.linalg.solve(covariance_m2, error_m))


def figures(answers: Sequence[Answer]) -> dict[str, Any]:
    """Of errors [mm], and whether the covariances keep what they promise.

    The mean of n squared errors of a Gaussian estimate with the right covariance, 3 degrees of freedom each, lies in
    the interval with 95 % probability: that sum is chi-square with 3 n degrees (Y. Bar-Shalom, X. R. Li and
    T. Kirubarajan, Estimation with Applications to Tracking and Navigation, 2001, section 5.4). Quantiles are of the
    objects with a point; the share within 10 mm is of all.
    """
    errors = np.array([answer.distance_mm for answer in answers])
    nees = np.array([answer.nees for answer in answers])
    errors, known, n = errors[np.isfinite(errors)], nees[np.isfinite(nees)], len(answers)
    result: dict[str, Any] = {"n": n, "without": n - len(errors), "median_mm": None, "p95_mm": None, "p99_mm": None}
    result |= {"max_mm": None, "within_10mm": None, "nees": None}
    if len(errors):
        at = np.percentile(errors, (50, 95, 99, 100)).tolist()
        result |= dict(zip(("median_mm", "p95_mm", "p99_mm", "max_mm"), at, strict=True))
        result["within_10mm"] = float(np.count_nonzero(errors <= WITHIN_MM)) / n
    if len(known):
        low, high = (chi2.ppf((0.025, 0.975), 3 * len(known)) / len(known)).tolist()
        result["nees"] = {
            "mean": float(known.mean()), "median": float(np.median(known)), "expected_low": low, "expected_high": high,
            "within_95": float((known <= ELLIPSOID).mean()),
        }  # fmt: skip
    return result


def split(answers: Sequence[Answer]) -> dict[str, dict[str, Any]]:
    """Figures of all, and of those of which so much is hidden [%]."""
    parts = {"all": figures(answers)}
    low = 0.0
    for high in HIDDEN_LIMITS:
        name = f"{100 * low:.0f}-{100 * high:.0f}"
        parts[name] = figures([answer for answer in answers if low <= answer.hidden < high])
        low = high
    return parts


def show(report: dict[str, Any]) -> None:
    """Print the tables: a line for each case and method, with median and p95 by part hidden at its end."""
    print(f"{report['scenes']} scenes of seed {report['seed']}, edges moved by {report['moved_px']:g} px (1 sigma)")
    lines: dict[str, dict[str, dict[str, Any]]] = {}
    for row in report["rows"]:
        lines.setdefault(row["case"], {}).setdefault(row["method"], {})[row["hidden"]] = row
    for case, methods in lines.items():
        parts = "".join(f"{part + ' %':>12}" for part in next(iter(methods.values())) if part != "all")
        print(
            f"\n{case + ' [mm]':46}{'n':>5}{'none':>5}{'median':>7}{'p95':>7}{'p99':>7}{'max':>7}{'<10 mm':>8}{parts}"
        )
        for method, by_part in methods.items():
            print(f"  {method:44}{_line(by_part)}")
    print("\ncovariances: mean NEES, 95 % interval of it, share within the 95 % ellipsoid")
    for case, methods in lines.items():
        for by_part in methods.values():
            nees = [(part, row["nees"]) for part, row in by_part.items() if row["nees"]]
            if nees:
                print(f"  {case:44}" + "; ".join(f"{part} {_nees(values)}" for part, values in nees))
    for name, seen in (report["detector"] or {}).items():
        print(f"detector, {name}: {seen}")
    for name, reason in report["skipped"].items():
        print(f"left out: {name}: {reason}")
    for name, timing in report["time"].items():
        print(f"one {name}: median {timing['p50_ms']:.2f} ms, p99 {timing['p99_ms']:.2f} ms, n = {timing['n']}")


def _line(by_part: dict[str, dict[str, Any]]) -> str:
    row = by_part["all"]
    text = f"{row['n']:>5}{row['without']:>5}"
    if row["median_mm"] is None:
        return text
    text += f"{row['median_mm']:7.2f}{row['p95_mm']:7.1f}{row['p99_mm']:7.1f}{row['max_mm']:7.1f}"
    text += f"{100 * row['within_10mm']:7.1f}%"
    for part, figure in by_part.items():
        if part != "all":
            empty = figure["median_mm"] is None
            text += f"{'-':>12}" if empty else f"{figure['median_mm']:6.2f}{figure['p95_mm']:6.1f}"
    return text


def _nees(values: dict[str, float]) -> str:
    expected = f"{values['expected_low']:.2f}..{values['expected_high']:.2f}"
    return f"{values['mean']:.2f} ({expected}) {100 * values['within_95']:.0f}%"


def draw_worst(folder: Path, answers: Sequence[Answer], seed: int, renderer: RendererName, count: int = 24) -> None:
    """Pictures of those that are furthest off: colour and depth, the box, the truth (circle) and the answer (cross)."""
    folder.mkdir(parents=True, exist_ok=True)
    drawing = make_renderer(renderer)
    try:
        worst = sorted(answers, key=lambda answer: -np.nan_to_num(answer.distance_mm, nan=np.inf))[:count]
        for place, answer in enumerate(worst):
            scene = make_scene(seed, answer.number, drawing)
            file = folder / f"{place:02d}_scene{answer.number}_{answer.distance_mm:.0f}mm.png"
            cv2.imwrite(str(file), picture(scene.frame, scene.base_T_camera, scene.centers_m[answer.row], answer))
    finally:
        drawing.close()


def picture(frame: Any, base_T_camera: Any, truth_m: Array, answer: Answer) -> Any:
    """Colour beside depth around one box, shape (H, W, 3)."""
    width, height = frame.camera.width, frame.camera.height
    left, top = np.maximum(np.floor(answer.box[:2]) - MARGIN_PX, 0).astype(int)
    right, bottom = np.minimum(np.ceil(answer.box[2:]) + MARGIN_PX, (width, height)).astype(int)
    crop = slice(top, bottom), slice(left, right)
    depth = frame.depth[crop].astype(np.float32)
    near, far = np.percentile(depth[depth > 0], (1, 99)) if (depth > 0).any() else (0.0, 1.0)
    grey = np.clip(255 * (far - depth) / max(far - near, 1.0), 0, 255).astype(np.uint8)
    shade = cv2.applyColorMap(grey, cv2.COLORMAP_VIRIDIS)
    shade[depth == 0] = 0
    views = []
    for view in (frame.color[crop], shade):
        large = cv2.resize(view, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_NEAREST)
        corners = np.rint((answer.box.reshape(2, 2) - (left, top)) * ZOOM).astype(int)
        cv2.rectangle(large, corners[0].tolist(), corners[1].tolist(), (255, 255, 255), 1)
        for point, marker in ((truth_m, None), (answer.point_m, cv2.MARKER_CROSS)):
            pixel = project(base_T_camera.inverse().apply(point[None]), frame.camera)[0]
            if np.isfinite(pixel).all():
                at = np.rint((pixel + 0.5 - (left, top)) * ZOOM).astype(int).tolist()
                if marker is None:
                    cv2.circle(large, at, 8, (0, 255, 255), 2)
                else:
                    cv2.drawMarker(large, at, (255, 0, 255), marker, 16, 2)
        views.append(large)
    return np.hstack(views)
