"""Our image tracker beside the trackers of others, on the same detections in one run: time of an update, MOTA, IDF1.

    python benchmarks/tracking.py [--objects 10,50,200,500] [--frames 600] [--seed 0] [--json]

The scenes are in `tracking_scenes.py`: constant velocity, 10 % of the detections missing, 15 % of the others with low
scores, 0.1 false detections per object and frame, equal density at each number of objects. The trackers and their
settings are in `tracking_peers.py`. Those of others come with

    pip install --no-deps -r benchmarks/tracking-peers.txt

and one that is not installed is named and left out.

Timed is the update alone, for ours with reading ids and boxes; making the tracker's own type of detections and reading
what it returned are not timed. All trackers take turns, 20 frames at a time, of which the first is not timed, nor is
the first second of the scene; garbage is collected between turns, not meanwhile. Ratios are of the time for which the
process had the processor (all its threads; only similari has several), so that other load does not count. The time by
the clock stands beside it, and on a quiet machine they agree.

Scored, at IoU 0.5 with the true boxes, is what each says of a frame. `detected` takes the rows that have a detection in
that frame, so that it compares associations. `returned` takes all rows, also the predictions that norfair and motpy
return for objects that were missed, and for ours those of tracks seen within the last 0.2 s. What a tracker holds back
because it is too young counts as missed. Of long scenes of many objects the first 100 000 true boxes are scored.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from tracking_peers import CONTESTANTS, INSTALL, OURS, Contestant, Peer, Reported
from tracking_scenes import RATE_HZ, SceneFrame, make_scene

from deploy.timing import Timing
from launch.cli.values import at_least, counts
from launch.machine import installed, machine_facts
from tracking.evaluation import evaluate
from tracking.mot_files import MotRows

BLOCK, WARM_UP = 20, round(RATE_HZ)
IOU, SCORED_BOXES = 0.5, 100_000
GOAL_FASTER, GOAL_POINTS = 5.0, 0.5


@dataclass(frozen=True, slots=True)
class Result:
    """Of one tracker on one scene: times of an update, and what it reported of each frame."""

    cpu: Timing
    clock: Timing
    reported: list[Reported]


def drive(peers: Sequence[Peer], scene: list[SceneFrame]) -> list[Result]:
    """Give all of them the scene, in turns."""
    cpu_ns, clock_ns = np.zeros((2, len(peers), len(scene)), np.int64)
    reported: list[list[Reported]] = [[] for _ in peers]
    for start in range(0, len(scene), BLOCK):
        frames = scene[start : start + BLOCK]
        for row, peer in enumerate(peers):
            given = [peer.prepare(frame) for frame in frames]
            returned = []
            gc.collect()
            gc.disable()
            try:
                for place, detections in enumerate(given, start):
                    before, cpu_before = time.perf_counter_ns(), time.process_time_ns()
                    result = peer.update(detections)
                    cpu_ns[row, place] = time.process_time_ns() - cpu_before
                    clock_ns[row, place] = time.perf_counter_ns() - before
                    returned.append(peer.read(result))
            finally:
                gc.enable()
            reported[row] += returned
    places = np.arange(len(scene))
    timed = (places >= WARM_UP) & (places % BLOCK > 0)
    if not timed.any():
        timed[:] = True
    return [
        Result(Timing.of(cpu[timed]), Timing.of(clock[timed]), told)
        for cpu, clock, told in zip(cpu_ns, clock_ns, reported, strict=True)
    ]


def mot_rows(frames: Sequence[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]) -> MotRows:
    """Ids and boxes (x1, y1, x2, y2) of each frame as the rows of a file."""
    numbers = np.repeat(np.arange(1, len(frames) + 1), [len(ids) for ids, _ in frames])
    boxes = np.concatenate([boxes for _, boxes in frames]).reshape(-1, 4)
    count = len(numbers)
    return MotRows(
        numbers, np.concatenate([ids for ids, _ in frames]), np.hstack((boxes[:, :2], boxes[:, 2:] - boxes[:, :2])),
        np.ones(count), np.full((count, 3), np.nan), np.full(count, -1),
    )  # fmt: skip


def score(truth: MotRows, reported: Sequence[Reported]) -> dict[str, Any]:
    scores = evaluate(truth, mot_rows([(row.ids, row.boxes) for row in reported]), iou=IOU)
    count = scores.truth_rows
    return {
        "mota": 100.0 * scores.mota, "idf1": 100.0 * scores.idf1, "hota": 100.0 * scores.hota, "switches": scores.ids,
        "false_percent": 100.0 * scores.fp / count, "missed_percent": 100.0 * scores.fn / count,
    }  # fmt: skip


def measure(
    contestants: Sequence[Contestant], objects: int, frames: int, seed: int, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """One scene: a row for each contestant."""
    scene = make_scene(objects, frames, seed)
    say(f"{objects} objects: {len(contestants)} trackers, {frames} frames")
    results = drive([contestant.make(objects) for contestant in contestants], scene)
    ours_ms = next(
        it.cpu.p50_ms for contestant, it in zip(contestants, results, strict=True) if contestant.name == OURS
    )
    scored = max(1, SCORED_BOXES // objects)
    truth = mot_rows([(frame.truth_ids, frame.truth_boxes) for frame in scene[:scored]])
    rows = []
    for contestant, it in zip(contestants, results, strict=True):
        told = it.reported[:scored]
        scores = score(truth, [row.detected() for row in told])
        predicts = any(not row.seen.all() for row in told)
        rows.append(
            {
                "name": contestant.name, "kind": contestant.kind, "objects": objects, "n": it.cpu.n,
                "scored_frames": min(scored, frames), "min_ms": it.cpu.min_ms, "p50_ms": it.cpu.p50_ms,
                "p99_ms": it.cpu.p99_ms, "clock_p50_ms": it.clock.p50_ms, "clock_p99_ms": it.clock.p99_ms,
                "ratio_to_ours": it.cpu.p50_ms / ours_ms, "detected": scores,
                "returned": score(truth, told) if predicts else scores,
            }
        )  # fmt: skip
        say(f"  {contestant.name}: {it.cpu.p50_ms:.3f} ms, MOTA {scores['mota']:.2f}, IDF1 {scores['idf1']:.2f}")
    return rows


def verdict(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Ours against the fastest Python peer and the most accurate of all, at one number of objects."""
    ours = next(row for row in rows if row["name"] == OURS)
    others = [row for row in rows if row["name"] != OURS]
    python = [row for row in others if row["kind"] == "python"]
    if not python:
        return {"objects": ours["objects"], "kept": None}
    fastest = min(python, key=lambda row: row["p50_ms"])
    behind = {name: max(row["detected"][name] for row in others) - ours["detected"][name] for name in ("mota", "idf1")}
    return {
        "objects": ours["objects"], "fastest_python": fastest["name"], "times_faster": fastest["ratio_to_ours"],
        "points_behind_the_best": behind,
        "kept": fastest["ratio_to_ours"] >= GOAL_FASTER and max(behind.values()) <= GOAL_POINTS,
    }  # fmt: skip


def show(result: dict[str, Any]) -> None:
    for kept, rows in zip(result["verdicts"], result["tables"], strict=True):
        print(f"\n{kept['objects']} objects, {result['frames']} frames, seed {result['seed']}, n = {rows[0]['n']}")
        print(f"{'':24} {'by the processor [ms]':>34} {'clock [ms]':>17} {'with a detection':>21} {'as returned':>15}")
        print(
            f"{'':24} {'least':>8} {'median':>8} {'p99':>8} {'to ours':>7} {'median':>8} {'p99':>8} "
            f"{'MOTA':>7} {'IDF1':>7} {'IDSW':>5} {'MOTA':>7} {'IDF1':>7}"
        )
        for row in rows:
            scores, returned = row["detected"], row["returned"]
            print(
                f"{row['name']:24} {row['min_ms']:8.3f} {row['p50_ms']:8.3f} {row['p99_ms']:8.3f} "
                f"{row['ratio_to_ours']:6.2f}x {row['clock_p50_ms']:8.3f} {row['clock_p99_ms']:8.3f} "
                f"{scores['mota']:7.2f} {scores['idf1']:7.2f} {scores['switches']:5d} "
                f"{returned['mota']:7.2f} {returned['idf1']:7.2f}"
            )
        if kept["kept"] is not None:
            behind = kept["points_behind_the_best"]
            print(
                f"{'kept' if kept['kept'] else 'NOT kept'}: {kept['times_faster']:.1f} times faster than "
                f"{kept['fastest_python']} (goal {GOAL_FASTER:g}); behind the best by {behind['mota']:+.2f} MOTA, "
                f"{behind['idf1']:+.2f} IDF1 (goal {GOAL_POINTS:g})"
            )
    for line in result["missing"]:
        print(f"left out: {line}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--objects", type=counts, default=(10, 50, 200, 500), help="(10,50,200,500)")
    parser.add_argument("--frames", type=at_least(2), default=600, help="of each scene (default %(default)s)")
    parser.add_argument("--seed", type=at_least(0), default=0)
    parser.add_argument("--json", action="store_true", help="print the object alone")
    options = parser.parse_args(arguments)
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731

    present, missing = [], []
    for contestant in CONTESTANTS:
        try:
            contestant.make(1)
        except ImportError as error:
            missing.append(f"{contestant.name}: not installed ({error}): {INSTALL}")
        else:
            present.append(contestant)
    tables = [measure(present, objects, options.frames, options.seed, say) for objects in options.objects]
    result = {
        "benchmark": "tracking_compare", "objects": options.objects, "frames": options.frames, "seed": options.seed,
        "verdicts": [verdict(rows) for rows in tables], "tables": tables, "missing": missing,
        "settings": {contestant.name: contestant.settings for contestant in present},
        "versions": installed(*sorted({it.package for it in present if it.package}), "numpy", "scipy"),
        "machine": machine_facts(),
    }  # fmt: skip
    if not options.json:
        show(result)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
