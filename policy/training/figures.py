"""The figures of a training: a line of JSON each in `metrics.jsonl`, and `curves.png`."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

METRICS: Final = "metrics.jsonl"
CURVES: Final = "curves.png"
_LABELS: Final = {"rad": ("joints [rad]", 1.0), "m": ("tool [mm]", 1000.0), "1": ("gripper [opening]", 1.0)}


class Figures:
    """Writes the figures of a training, and keeps those of before where it goes on."""

    def __init__(self, out: Path, step: int) -> None:
        """Open the folder.

        Args:
            out: Folder of the training.
            step: Where it goes on from; lines of later steps are dropped.
        """
        self._out = out
        self._file = out / METRICS
        self._lines = [line for line in read_metrics(self._file) if line["step"] <= step]
        self._file.write_text("".join(json.dumps(line) + "\n" for line in self._lines))

    @property
    def last_errors(self) -> dict[str, dict[str, float]]:
        """Errors on held-out episodes that were written last."""
        return next((line["held_out"] for line in reversed(self._lines) if "held_out" in line), {})

    def train(self, step: int, losses: Mapping[str, float], rate: float) -> None:
        """Losses over the steps since the last line, and the learning rate."""
        self._add({"step": step, "train": dict(losses), "learning_rate": rate})

    def held_out(self, step: int, errors: Mapping[str, Mapping[str, float]]) -> None:
        """Errors on held-out episodes."""
        self._add({"step": step, "held_out": {case: dict(values) for case, values in errors.items()}})

    def draw(self) -> None:
        """Write the curves, where matplotlib is installed."""
        if importlib.util.find_spec("matplotlib") is not None:
            draw_curves(self._lines, self._out / CURVES)

    def _add(self, line: dict[str, Any]) -> None:
        self._lines.append(line)
        with self._file.open("a") as file:
            file.write(json.dumps(line) + "\n")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Lines of a `metrics.jsonl`; one that was cut short is left out."""
    lines = []
    for text in path.read_text().splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines


def draw_curves(lines: list[dict[str, Any]], path: Path) -> None:
    """Losses on the left; errors on held-out episodes, in units, to the right of them.

    Args:
        lines: Of `metrics.jsonl`.
        path: Picture to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    losses = [(line["step"], line["train"]) for line in lines if "train" in line]
    errors = [(line["step"], line["held_out"]) for line in lines if "held_out" in line]
    units = [unit for unit in errors[-1][1]["free"] if not unit.endswith(" p95")] if errors else []
    figure = Figure(figsize=(4.2 * (1 + len(units)), 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 1 + len(units), squeeze=False)[0]
    names = [name for name in losses[-1][1] if name != "gradient"] if losses else []
    for name in names:
        panels[0].plot([step for step, _ in losses], [values[name] for _, values in losses], label=name)
    panels[0].set(title="training loss, normalised", xlabel="step", yscale="log")
    for panel, unit in zip(panels[1:], units, strict=True):
        label, scale = _LABELS.get(unit, (f"[{unit}]", 1.0))
        for case in errors[-1][1]:
            values = [(step, cases[case]) for step, cases in errors if case in cases]
            steps = [step for step, _ in values]
            (line,) = panel.plot(steps, [scale * v[unit] for _, v in values], marker=".", label=f"{case}, mean")
            panel.plot(
                steps, [scale * v[f"{unit} p95"] for _, v in values], ":", color=line.get_color(), label=f"{case}, p95"
            )
        panel.set(title=f"held-out error, {label}", xlabel="step", ylim=(0, None))
    for panel in panels:
        panel.grid(alpha=0.3)
        if panel.lines:
            panel.legend(fontsize=8)
    figure.savefig(path, dpi=110)
