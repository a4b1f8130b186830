"""Where the time of one frame went: from its photons to the first command because of them, piece by piece."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.misses import NS_PER_MS, Misses
from launch.config.budget import BudgetConfig
from launch.ledger import Rows, Rung, Stage
from launch.trace.frame_paths import frame_paths

Int64 = npt.NDArray[np.int64]


def worst_frames(
    rows: Rows, sends: Int64, reactions_ns: Int64, budget: BudgetConfig, count: int
) -> list[dict[str, Any]]:
    """The frames whose reaction took longest, the longest first, as plain data.

    Args:
        rows: A whole ledger, by number.
        sends: Shape (N,), index of the SEND row that ended each reaction.
        reactions_ns: Shape (N,), how long each took [ns].
        budget: What each piece is held against.
        count: How many frames at most.

    Returns:
        Of each frame its number, camera, chunk and command, when it was captured, and its `segments`: they follow each
        other without a gap, so their sum is the reaction.
    """
    if not len(sends):
        return []
    worst = sends[np.argsort(-reactions_ns, kind="stable")[:count]]
    paths = frame_paths(rows)
    found = np.isin(paths.row, worst)
    capture_of = dict(zip(paths.row[found].tolist(), paths.capture[found].tolist(), strict=True))
    frames = []
    for send in worst.tolist():
        way = paths.row[paths.capture == capture_of[send]].tolist() if send in capture_of else [send]
        frames.append(_frame(rows, way, budget))
    return frames


def _frame(rows: Rows, way: list[int], budget: BudgetConfig) -> dict[str, Any]:
    last = rows[way[-1]]
    photon_ns, end_ns = int(last["photon_ns"]), _end(last)
    before = [rows[index] for index in way if rows[index]["stage"] == Stage.IK]
    total_ns = end_ns - photon_ns
    return {
        "frame": int(last["frame"]),
        "camera": int(last["camera"]),
        "chunk": int(before[-1]["input"]) if before else None,
        "command": int(last["input"]),
        "engine": int(last["engine"]),
        "t_s": photon_ns * 1e-9,
        "end_s": end_ns * 1e-9,
        "total_ms": total_ns / NS_PER_MS,
        "over": _over(total_ns, budget.reaction_ms),
        "segments": _segments(rows, way, photon_ns, budget),
    }


def _segments(rows: Rows, way: list[int], photon_ns: int, budget: BudgetConfig) -> list[dict[str, Any]]:
    """Stages and the waits between them; where rows were lost, what is not known is a segment too."""
    segments: list[dict[str, Any]] = []
    at_ns, complete = photon_ns, rows[way[0]]["stage"] == Stage.CAPTURE

    def segment(name: str, kind: str, end_ns: int, budget_ms: float | None = None) -> None:
        nonlocal at_ns
        took_ns = end_ns - at_ns
        segments.append(
            {
                "name": name,
                "kind": kind,
                "start_ms": (at_ns - photon_ns) / NS_PER_MS,
                "ms": took_ns / NS_PER_MS,
                "budget_ms": budget_ms,
                "over": _over(took_ns, budget_ms),
            }
        )
        at_ns = end_ns

    for index in way:
        row = rows[index]
        stage = Stage(int(row["stage"]))
        start_ns, end_ns = (photon_ns if stage is Stage.CAPTURE else int(row["now_ns"])), _end(row)
        if start_ns > at_ns:
            waits_for = "tick" if stage is Stage.IK else stage.label
            segment(
                f"wait for {waits_for}" if complete else "not in the ledger", "wait" if complete else "lost", start_ns
            )
        complete = True
        predicted = stage is Stage.TRACK and row["rung"] == Rung.PREDICT
        segment(
            "predict" if predicted else stage.label, stage.label, max(at_ns, end_ns), budget.stages_ms.get(stage.label)
        )
    return segments


def _end(row: Rows) -> int:
    """When an activation was over, on the run's clock [ns]; a frame's row is written when it has arrived."""
    return int(row["now_ns"]) + (0 if row["stage"] == Stage.CAPTURE else int(row["modelled_ns"]))


def _over(took_ns: int, budget_ms: float | None) -> bool:
    limit_ns = Misses(budget_ms).limit_ns
    return limit_ns is not None and took_ns > limit_ns
