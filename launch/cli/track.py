"""`eyehand track`: detections of a MOT file in, the same boxes with identities out."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deploy.errors import BadInput
from launch.cli.say import count, progress, result

if TYPE_CHECKING:
    from geometry.types import IntArray
    from launch.mot.motions import Motions
    from launch.mot.sequence import MotSequence
    from tracking import ImageTracker

# Frames between two lines of progress.
STEP = 2000


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    from launch.mot.motions import milliseconds
    from launch.mot.sequence import read_sequence
    from tracking import ImageTracker, ImageTrackerParameters
    from tracking.mot_files import write_rows

    source, out = Path(options.detections), Path(options.out)
    _check_out(out, [source, *(Path(name) for name in (options.camera_motion, options.images) if name is not None)])
    notes: list[str] = []

    def say(note: str) -> None:
        notes.append(note)
        progress(note)

    parameters = ImageTrackerParameters()
    sequence = read_sequence(source, options.min_score, parameters.high_score, say)
    motions = _motions(options, sequence, say)
    fps = _fps(options, source, motions, say)
    ids, update_ns = _track(ImageTracker(parameters), sequence, motions, fps)
    rows = sequence.with_ids(ids)
    write_rows(out, rows)
    value = {
        "detections": str(source),
        "out": str(out),
        "frames": sequence.last - sequence.first + 1,
        "rows": len(sequence.rows) + sequence.dropped,
        "dropped": sequence.dropped,
        "written": len(rows),
        "tracks": len(np.unique(rows.ids)),
        "fps": fps,
        "camera_motion": motions.value(),
        "update_ms": milliseconds(update_ns),
        "notes": notes,
    }
    if options.json:
        result(value)
    else:
        _summary(value)
    return 0


def _track(tracker: ImageTracker, sequence: MotSequence, motions: Motions, fps: float) -> tuple[IntArray, list[int]]:
    """Identities of the rows of a sequence, -1 for none, and how long each update took [ns]."""
    from launch.mot.sequence import stamp_ns

    ids = np.full(len(sequence.rows), -1, dtype=np.int64)
    update_ns: list[int] = []
    frame = sequence.first
    while frame <= sequence.last:
        rows = sequence.in_frame(frame)
        detections = sequence.detections(frame, stamp_ns(frame, fps))
        motion = motions.at(frame, sequence.boxes(rows))
        begin = time.perf_counter_ns()
        tracks = tracker.update(detections, camera_motion=motion)
        update_ns.append(time.perf_counter_ns() - begin)
        ids[rows] = tracks.ids
        if len(update_ns) % STEP == 0:
            progress(f"frame {frame} of {sequence.last}")
        # Frames without detections are updates too: nobody was seen in them. If nobody is left, they say nothing.
        frame = frame + 1 if len(tracks.all) else sequence.next_frame(frame)
    return ids, update_ns


def _motions(options: argparse.Namespace, sequence: MotSequence, say: Callable[[str], None]) -> Motions:
    from launch.mot.motions import FileMotions, PictureMotions, StillCamera

    if options.camera_motion is not None:
        return FileMotions(Path(options.camera_motion), sequence, say)
    if options.images is not None:
        return PictureMotions(Path(options.images), sequence, say)
    return StillCamera()


def _fps(options: argparse.Namespace, source: Path, motions: Motions, say: Callable[[str], None]) -> float:
    from launch.mot.sequence import DEFAULT_FPS, frame_rate

    if options.fps is not None:
        return float(options.fps)
    folder = source.resolve().parent
    found = frame_rate((folder, folder.parent))
    if found is None and motions.fps is not None:
        found = motions.fps, str(options.images)
    fps, where = found or (DEFAULT_FPS, "no seqinfo.ini beside or above the detections; --fps says otherwise")
    say(f"{fps:g} frames/s: {where}")
    return fps


def _check_out(out: Path, sources: list[Path]) -> None:
    """Refuse at once what would only be refused after the work."""
    if not out.parent.is_dir():
        raise BadInput(f"--out {out}: {out.parent} is not a folder that exists; make it, or name another file")
    if out.is_dir():
        raise BadInput(f"--out {out}: a folder; name a file in it, such as {out / 'tracks.txt'}")
    for source in sources:
        if out.exists() and source.exists() and out.samefile(source):
            raise BadInput(f"--out {out}: would replace what is read; name another file")


def _summary(value: dict[str, Any]) -> None:
    times = value["update_ms"]
    progress(
        f"{count(value['frames'], 'frame')}, {count(value['rows'], 'detection')}, {count(value['tracks'], 'track')} in "
        f"{count(value['written'], 'row')}: "
        f"{value['out']}"
    )
    if times["n"]:
        progress(f"update: median {times['p50']:.3f} ms, p99 {times['p99']:.3f} ms, n {times['n']}")
    motion = value["camera_motion"]
    if "estimate_ms" in motion:
        times = motion["estimate_ms"]
        progress(
            f"camera motion: measured in {count(motion['frames_measured'], 'frame')}, not in {motion['frames_without']}"
            + (f" ({motion['reason']})" if "reason" in motion else "")
            + f"; median {times['p50']:.2f} ms, p99 {times['p99']:.2f} ms"
        )
