"""Whether a tracker stays what it was through a million updates: memory, identities, and the same bytes twice.

    python benchmarks/tracking_soak.py [--updates 1000000] [--seed 1] [--json]

Both trackers, each in two runs in processes of their own, with the same seed and different PYTHONHASHSEED. Objects come
and go about every fourth look, so that hundreds of thousands of ids are given; intervals are irregular, with gaps of
seconds; looks are empty, crowded by bursts of sixty objects, doubled by second boxes of another class, or not finite;
classes flicker; the points of the base-frame tracker come from two sources, sometimes late, some are out of view or
hidden. A block of looks is drawn once and played in pieces of random place and length.

Held are: resident memory after the first tenth against the end; an id that was not there in the look before is larger
than all before it, so no id is ever used again; SHA-256 over all arrays of all live tracks after each update.
The exit code is 1 if one of the three is broken.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from launch.cli.values import at_least
from launch.machine import machine_facts
from perception.detections import Detections
from perception.visibility import Sight
from tracking import BaseFrameTracker, ImageTracker, ImageTrackerParameters, Points, TrackerParameters, Tracks

TRACKERS = ("image", "base")
MAX_GROWTH_MB, WARM_UP = 5.0, 0.1
SAMPLES = 200
# So few that bursts reach the limit: what is dropped there is a way to leak, or to use an id again.
MAX_TRACKS = 64
CLASSES = ("cube", "ball", "cup")
BLOCK = 4000
PIECE = (200, 2000)  # looks
ARRAYS = ("ids", "state", "position", "velocity", "covariance", "scores", "class_ids", "last_seen_ns", "age_s")


# -- what comes in ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """One look: centres and sizes (M, 2) [px], scores and classes (M,), time since the look before [ns]."""

    centres: npt.NDArray[np.float64]
    sizes: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    classes: npt.NDArray[np.int64]
    interval_ns: int


def draw_block(random: np.random.Generator, looks: int) -> list[Raw]:
    """Objects of constant velocity that live for a second or so, and what a poor detector makes of them."""
    rows = np.empty((0, 8))  # u, v, du, dv, width, height, class, frames to live
    block = []
    for number in range(looks):
        interval_s = abs(random.normal(0.033, 0.008)) + 1e-4
        if random.random() < 0.05:
            interval_s = random.uniform(0.1, 0.3)
        elif random.random() < 0.005:
            interval_s = random.uniform(2.0, 5.0)
        rows[:, :2] += interval_s * rows[:, 2:4]
        rows[:, 7] -= 1.0
        rows = rows[rows[:, 7] > 0.0]
        burst = 60 if number % 250 == 249 else 0
        rows = np.vstack((rows, _newborn(random, random.poisson(0.25), 40.0), _newborn(random, burst, 3.0)))
        block.append(_look(random, rows, round(interval_s * 1e9)))
    return block


def _newborn(random: np.random.Generator, count: int, life: float) -> npt.NDArray[np.float64]:
    return np.hstack(
        (
            random.uniform(0.0, 1000.0, (count, 2)), random.normal(0.0, 80.0, (count, 2)),
            random.uniform(40.0, 120.0, (count, 2)), random.integers(0, len(CLASSES), (count, 1)),
            1.0 + random.exponential(life, (count, 1)),
        )
    )  # fmt: skip


def _look(random: np.random.Generator, rows: npt.NDArray[np.float64], interval_ns: int) -> Raw:
    seen = rows[random.random(len(rows)) >= (1.0 if random.random() < 0.05 else 0.1)]
    seen = np.vstack((seen, _newborn(random, random.poisson(0.5), 1.0), seen[random.random(len(seen)) < 0.03]))
    count = len(seen)
    flicker = random.random(count) < 0.1
    classes = np.where(flicker, random.integers(0, len(CLASSES), count), seen[:, 6]).astype(np.int64)
    centres = seen[:, :2] + random.normal(0.0, 1.5, (count, 2))
    centres[random.random(count) < 0.002] = np.nan
    sizes = seen[:, 4:6] * (1.0 + random.normal(0.0, 0.03, (count, 2)))
    return Raw(centres, sizes, random.uniform(0.05, 1.0, count), classes, interval_ns)


def as_detections(look: Raw) -> Detections:
    boxes = np.hstack((look.centres - 0.5 * look.sizes, look.centres + 0.5 * look.sizes))
    return Detections("camera", 0, 0, boxes, look.scores, look.classes, CLASSES)


def as_points(look: Raw, source: str) -> Points:
    """A pixel as a millimetre."""
    points = np.hstack((1e-3 * look.centres, np.full((len(look.centres), 1), 0.02)))
    noise = np.tile(2.25e-6 * np.eye(3), (len(points), 1, 1))
    return Points(points, noise, look.scores, look.classes, CLASSES, source)


def sight(points_m: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """A camera that sees one metre; a post hides a tenth of it, and in half of the rest nothing stands."""
    x, y = points_m[:, 0], points_m[:, 1]
    kind = np.where(y > 0.5, Sight.VISIBLE, Sight.FREE)
    kind = np.where((x > 0.4) & (x < 0.5), Sight.HIDDEN, kind)
    return np.where((x < 0.0) | (x > 1.0), Sight.OUTSIDE, kind).astype(np.uint8)


def play(random: np.random.Generator, block: list[Raw], updates: int) -> Iterator[tuple[int, int, float]]:
    """Row of the block, stamp [ns] and a random number for each update."""
    stamp_ns, done = 0, 0
    while done < updates:
        begin, length = int(random.integers(0, len(block))), int(random.integers(*PIECE))
        chances = random.random(length).tolist()
        for place, chance in zip(range(begin, begin + min(length, updates - done)), chances, strict=False):
            row = place % len(block)
            stamp_ns += block[row].interval_ns
            yield row, stamp_ns, chance
        done += min(length, updates - done)


def updates_of(tracker: str, updates: int, seed: int) -> Iterator[Tracks]:
    """Drive one tracker."""
    random = np.random.default_rng([seed, TRACKERS.index(tracker)])
    block = draw_block(random, min(BLOCK, max(updates, 1)))
    if tracker == "image":
        image = ImageTracker(ImageTrackerParameters(max_tracks=MAX_TRACKS))
        boxes = [as_detections(look) for look in block]
        for row, stamp_ns, _ in play(random, block, updates):
            yield image.update(boxes[row], stamp_ns=stamp_ns)
        return
    base = BaseFrameTracker(TrackerParameters(max_tracks=MAX_TRACKS))
    points = [[as_points(look, source) for look in block] for source in ("wrist", "side")]
    for row, stamp_ns, chance in play(random, block, updates):
        late_ns = round(1e9 * chance) if chance < 0.05 else 0  # up to 50 ms
        given = points[row % 2][row]
        yield base.update(given, stamp_ns=stamp_ns - late_ns, visibility=sight if chance < 0.7 else None)


# -- what is held -----------------------------------------------------------------------------------------------------


class IdWatch:
    """Whether ids are unique for ever: within a look, and none that was gone comes back."""

    def __init__(self) -> None:
        self.largest = 0
        self.broken = ""
        self._alive: set[int] = set()

    def see(self, ids: list[int]) -> None:
        """Take in the ids of all live tracks after an update."""
        now = set(ids)
        new = now - self._alive
        if len(now) < len(ids):
            self.broken = self.broken or f"an id twice in one look: {sorted(ids)}"
        if new:
            if min(new) <= self.largest:
                self.broken = self.broken or f"id {min(new)} came after id {self.largest}"
            self.largest = max(self.largest, max(new))
        self._alive = now


def rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def soak(tracker: str, updates: int, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """One run.

    Returns:
        Figures, ready for JSON.
    """
    watch, digest = IdWatch(), hashlib.sha256()
    memory: list[float] = []
    confirmed: int = 0
    most = 0
    every = max(1, updates // SAMPLES)
    start = time.perf_counter()
    for number, tracks in enumerate(updates_of(tracker, updates, seed)):
        live = tracks.all
        for name in ARRAYS:
            digest.update(getattr(live, name).tobytes())
        digest.update(tracks.ids.tobytes())
        watch.see(live.ids.tolist())
        confirmed = max(confirmed, int(tracks.ids.max(initial=0)))
        most = max(most, len(live))
        if (number + 1) % every == 0:
            memory.append(rss_mb())
            if (number + 1) % (every * (SAMPLES // 10)) == 0:
                say(f"{tracker}: {number + 1} updates, {watch.largest} ids, {memory[-1]:.1f} MB")
    taken_s = time.perf_counter() - start
    warm = memory[round(WARM_UP * len(memory))]
    return {
        "tracker": tracker, "updates": updates, "seed": seed, "ids": watch.largest, "largest_confirmed_id": confirmed,
        "most_tracks": most, "ids_broken": watch.broken, "sha256": digest.hexdigest(),
        "rss_mb": {"after_warm_up": warm, "end": memory[-1], "max": max(memory), "growth": memory[-1] - warm},
        "ms_per_update": 1e3 * taken_s / updates, "hash_seed": os.environ.get("PYTHONHASHSEED", ""),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """One of the three, of one tracker."""

    tracker: str
    what: str
    said: str
    kept: bool


def judge(first: dict[str, Any], second: dict[str, Any]) -> list[Verdict]:
    tracker, memory = first["tracker"], first["rss_mb"]
    broken = first["ids_broken"] or second["ids_broken"]
    said = f"{memory['after_warm_up']:.1f} MB after the warm-up, {memory['end']:.1f} MB at the end"
    ids = f"{first['ids']} ids, the largest of a confirmed track {first['largest_confirmed_id']}"
    return [
        Verdict(tracker, "memory", f"{said}; at most {MAX_GROWTH_MB:g} MB more", memory["growth"] <= MAX_GROWTH_MB),
        Verdict(tracker, "ids", broken or f"{ids}; none used again", not broken),
        Verdict(
            tracker, "same bytes", f"{first['sha256'][:16]} and {second['sha256'][:16]}",
            first["sha256"] == second["sha256"],
        ),
    ]  # fmt: skip


def runs(tracker: str, updates: int, seed: int) -> list[dict[str, Any]]:
    """Two runs in processes of their own, side by side."""
    command = [sys.executable, __file__, "--updates", str(updates), "--seed", str(seed), "--one", tracker]
    started = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=None if hash_seed == "0" else subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        for hash_seed in ("0", "4711")
    ]  # fmt: skip
    results = []
    for process in started:
        out, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"tracking_soak: a run of the {tracker} tracker ended with {process.returncode}")
        results.append(json.loads(out.splitlines()[-1]))
    return results


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--updates", type=at_least(10), default=1_000_000, help="of each tracker (default %(default)s)")
    parser.add_argument("--seed", type=at_least(0), default=1)
    parser.add_argument("--one", choices=TRACKERS, help="one run of one tracker, in this process")
    parser.add_argument("--json", action="store_true", help="print the object alone")
    options = parser.parse_args(arguments)
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    if options.one:
        print(json.dumps(soak(options.one, options.updates, options.seed, say)))
        return 0
    pairs = [runs(tracker, options.updates, options.seed) for tracker in TRACKERS]
    verdicts = [verdict for first, second in pairs for verdict in judge(first, second)]
    kept = all(verdict.kept for verdict in verdicts)
    result = {
        "benchmark": "tracking_soak", "updates": options.updates, "seed": options.seed,
        "runs": [first for first, _ in pairs], "verdicts": [asdict(verdict) for verdict in verdicts], "kept": kept,
        "machine": machine_facts(),
    }  # fmt: skip
    if not options.json:
        for first, _ in pairs:
            print(
                f"{first['tracker']}: {first['updates']} updates, {first['ms_per_update']:.3f} ms each with watching; "
                f"{first['ids']} ids, at most {first['most_tracks']} tracks at once"
            )
        for verdict in verdicts:
            print(f"{'kept  ' if verdict.kept else 'BROKEN'} {verdict.tracker}, {verdict.what}: {verdict.said}")
    print(json.dumps(result))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
