"""Figures as pictures: precision over recall, and the confusion of classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from deploy.errors import require
from perception.evaluation.coco import Curves, Metrics
from perception.evaluation.confusion import Confusion

CURVES_FILE: Final = "precision_recall.png"
CONFUSION_FILE: Final = "confusion.png"
NUMBERS_FILE: Final = "figures.json"
# Colours that readers with any colour vision can tell apart (Okabe and Ito).
_COLORS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_GREY: Final = "#555555"
# More classes than this cannot be told apart in one picture: the best and worst are drawn, and all of them in grey.
_DRAWN: Final = len(_COLORS)
# Counts are written into the cells of a matrix up to this size.
_WRITTEN: Final = 15


def write_pictures(folder: Path, metrics: Metrics, curves: Curves, matrix: Confusion, title: str) -> list[Path]:
    """Write the curves and the matrix as PNG, and the numbers that they show as JSON.

    Args:
        folder: Made if absent; files of a former evaluation in it are replaced.
        metrics: For the legend.
        curves: Of `coco_metrics`.
        matrix: Of `confusion`.
        title: Model and set, for the pictures.

    Returns:
        The files.

    Raises:
        Missing: If matplotlib is not installed.
    """
    require("matplotlib", "eval")
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / name for name in (CURVES_FILE, CONFUSION_FILE, NUMBERS_FILE)]
    _curves(files[0], metrics, curves, title)
    _matrix(files[1], matrix, title)
    numbers = {"metrics": metrics.to_dict(), "curves": curves.to_dict(), "confusion": matrix.to_dict()}
    files[2].write_text(json.dumps(numbers, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return files


def _figure(width: float, height: float) -> Any:
    """A figure that is drawn to a file, whatever screen there is."""
    figure = require("matplotlib.figure", "eval").Figure(figsize=(width, height), dpi=150, layout="constrained")
    require("matplotlib.backends.backend_agg", "eval").FigureCanvasAgg(figure)
    return figure


def _curves(path: Path, metrics: Metrics, curves: Curves, title: str) -> None:
    figure = _figure(9.6, 4.6)
    panels = figure.subplots(1, 2, sharey=True)
    shown = _shown(curves)
    for axes, precision, overlap in zip(panels, (curves.precision50, curves.precision75), (0.5, 0.75), strict=True):
        if len(shown) < len(curves.class_names):
            axes.plot(curves.recall, precision.T, color="#cccccc", linewidth=0.6, zorder=1)
        for color, row in zip(_COLORS, shown, strict=False):
            label = f"{curves.class_names[row]}   {precision[row].mean():.3f}"
            axes.plot(curves.recall, precision[row], color=color, linewidth=1.8, label=label, zorder=2)
        mean = precision.mean(axis=0)
        if len(curves.class_names) > 1:
            label = f"all {len(curves.class_names)} classes   {mean.mean():.3f}"
            axes.plot(curves.recall, mean, color=_GREY, linewidth=1.6, linestyle="--", label=label, zorder=3)
        axes.set(xlim=(0.0, 1.01), ylim=(0.0, 1.03), xlabel="recall", title=f"overlap (IoU) ≥ {overlap:g}")
        axes.set_xticks(np.linspace(0.0, 1.0, 6))
        axes.grid(color="#e6e6e6", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="lower left", title="average precision", frameon=False, fontsize=9, title_fontsize=9)
    panels[0].set_ylabel("precision")
    summary = f"mAP50-95 {metrics.map50_95:.3f}, {metrics.objects} objects in {metrics.frames} pictures"
    figure.suptitle(f"{title}\n{summary}", fontsize=11)
    figure.savefig(path)


def _shown(curves: Curves) -> list[int]:
    """Classes to draw in colour: all, or the best and the worst of many."""
    order = np.argsort(-curves.precision50.mean(axis=1), kind="stable").tolist()
    if len(order) <= _DRAWN:
        return sorted(order)
    half = _DRAWN // 2
    return [*order[: _DRAWN - half], *order[-half:]]


def _matrix(path: Path, matrix: Confusion, title: str) -> None:
    count = len(matrix.names)
    total = matrix.counts.sum(axis=1, keepdims=True)
    share = matrix.counts / np.maximum(total, 1)
    share[-1] = np.nan  # what is seen where nothing is has no whole to be a part of
    size = float(np.clip(2.4 + 0.62 * count, 5.0, 12.0))
    figure = _figure(size + 1.0, size)
    axes = figure.subplots()
    colors = require("matplotlib", "eval").colormaps["Blues"].with_extremes(bad="#f2f2f2")
    image = axes.imshow(share, cmap=colors, vmin=0.0, vmax=1.0)
    ticks = range(count)
    rotation = 0 if count <= 4 else 90
    small = 9 if count <= _WRITTEN else max(3.0, 200.0 / count)
    axes.set_xticks(ticks, matrix.names, rotation=rotation, fontsize=small)
    axes.set_yticks(ticks, matrix.names, fontsize=small)
    axes.set(xlabel="detected as (background: missed)", ylabel="labelled as (background: false alarm)")
    axes.set_title(f"{title}\nconfidence ≥ {matrix.confidence:g}, overlap (IoU) ≥ {matrix.overlap:g}", fontsize=10)
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2 if count <= _WRITTEN else 0.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    if count <= _WRITTEN:
        for row, column in np.ndindex(count, count):
            _cell(axes, row, column, int(matrix.counts[row, column]), float(share[row, column]), last=count - 1)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, label="share of the labelled objects of a class")
    bar.outline.set_visible(False)
    figure.savefig(path)


def _cell(axes: Any, row: int, column: int, value: int, share: float, last: int) -> None:
    """The count in a cell, and below it the share of its row."""
    if row == last and column == last:
        return
    dark = share > 0.55
    text = f"{value}" if row == last or not value else f"{value}\n{share:.1%}"
    color = "white" if dark else ("#222222" if value else "#aaaaaa")
    axes.text(column, row, text, ha="center", va="center", fontsize=9, color=color)
