"""What was done: a slice for each activation, for what waited before it, for photons; arrows along each frame's way."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from deploy.trace_events import FlowPhase, Value, complete, flow
from launch.control_path import UNREACHABLE_BIT
from launch.ledger import Outcome, Rung, Stage
from launch.trace.frame_paths import FramePaths
from launch.trace.layer import ARROWS, SLICES, Event, Layer, Tracks, ms
from launch.trace.timeline import Int64, Timeline
from robot.verdict import INTERVENTION_KINDS

# less is what a hand-over between threads takes; every slice has its wait among its arguments
SHOWN_WAIT_NS: Final = 100_000


def photons(line: Timeline, tracks: Tracks, captures: Int64, camera: str) -> Layer:
    """The instants at which frames of a camera were exposed, as slices of no length: an arrow starts at a slice."""
    at = line.photon_ns[captures]

    def text(event: Event) -> str:
        return complete("photons", "photons", event.track, event.at_ns, 0, {"frame": event.row.sequence})

    return Layer(at, captures, text, SLICES, tracks.add_lanes(f"photons {camera}", at, at))


def activations(
    line: Timeline, tracks: Tracks, name: str, rows: Int64, cameras: Sequence[str], *, measured: bool
) -> Layer:
    """What a stage did.

    Args:
        line: The run.
        tracks: Gets a track, and more where activations overlap, as frames do that are on their way at once.
        name: Name of the track.
        rows: Indices of the activations.
        cameras: Names.
        measured: Whether what this machine took is among the arguments.
    """
    begin, end = line.begin_ns[rows], line.end_ns[rows]
    age = begin + line.took_ns[rows] - line.photon_ns[rows]

    def text(event: Event) -> str:
        row = event.row
        args: dict[str, Value] = {"sequence": row.sequence, "input": row.input}
        if row.camera >= 0:
            args |= {"camera": cameras[row.camera], "frame": row.frame, "age_ms": ms(event.extra)}
        args |= {"outcome": Outcome(row.outcome).name.lower(), "engine": row.engine}
        if row.rung:
            args["rung"] = Rung(row.rung).name.lower()
        if row.decision and row.stage == Stage.IK:
            args["changed"] = interventions(row.decision)
        args["wait_ms"] = ms(row.wait_ns)
        if measured:
            args["measured_ms"] = ms(row.measured_ns)
        args["modelled_ms"] = ms(row.modelled_ns)
        title = activation_name(row.stage, row.outcome, row.engine, row.rung)
        return complete(title, "stage", event.track, event.at_ns, event.duration_ns, args)

    return Layer(begin, rows, text, SLICES, tracks.add_lanes(name, begin, end), end - begin, age)


@lru_cache
def activation_name(stage: int, outcome: int, engine: int, rung: int) -> str:
    """What a slice is called: its stage, and what is out of the ordinary.

    Example:
        >>> activation_name(Stage.DETECT, Outcome.STALE, 1, 0)
        'detect: fallback, stale'
    """
    notes = []
    if stage == Stage.DETECT and engine:
        notes.append("fallback")
    if stage == Stage.TRACK and rung == Rung.PREDICT:
        notes.append("predicted")
    if outcome != Outcome.OK:
        notes.append(Outcome(outcome).name.lower())
    label = Stage(stage).label
    return f"{label}: {', '.join(notes)}" if notes else label


@lru_cache
def interventions(bits: int) -> str:
    """What the governor changed, in words.

    Example:
        >>> interventions(0b110)
        'velocity, acceleration'
    """
    kinds = [kind for number, kind in enumerate(INTERVENTION_KINDS) if bits >> number & 1]
    return ", ".join([*kinds, "out of reach"] if bits & UNREACHABLE_BIT else kinds)


def waits(line: Timeline, tracks: Tracks, stage: Stage) -> Layer:
    """How long results lay before a stage took them; of a control tick, how much later than planned it began."""
    rows = line.of(stage)
    wait = line.rows["wait_ns"][rows]
    rows, wait = rows[wait >= SHOWN_WAIT_NS], wait[wait >= SHOWN_WAIT_NS]
    end = line.begin_ns[rows]
    begin = np.maximum(end - wait, 0)
    name = "ik: late" if stage is Stage.IK else f"{stage.label}: waiting"

    def text(event: Event) -> str:
        args: dict[str, Value] = {"input": event.row.input, "wait_ms": ms(event.row.wait_ns)}
        return complete(name, "wait", event.track, event.at_ns, event.duration_ns, args)

    return Layer(begin, rows, text, SLICES, tracks.add_lanes(name, begin, end), end - begin)


def arrows(line: Timeline, paths: FramePaths, photon_track: Int64, track: Int64) -> list[Layer]:
    """One arrow for each frame, from its photons to the last activation of its way.

    Args:
        line: The run of N rows.
        paths: The ways of its frames.
        photon_track: Shape (N,), track of the photons of a CAPTURE row.
        track: Shape (N,), track of an activation.
    """
    is_last = np.append(paths.capture[1:] != paths.capture[:-1], True)[: len(paths.capture)]
    begin = np.maximum(line.begin_ns[paths.row], line.photon_ns[paths.capture])
    starts = paths.capture[is_last]

    def layer(phase: FlowPhase, at_ns: Int64, rows: Int64, tracks: Int64, number: Int64) -> Layer:
        def text(event: Event) -> str:
            return flow(phase, "frame", "frame", event.track, event.at_ns, event.extra)

        return Layer(at_ns, rows, text, ARROWS, tracks, extra=number)

    return [
        layer("s", line.photon_ns[starts], starts, photon_track[starts], starts),
        layer("t", begin[~is_last], paths.row[~is_last], track[paths.row[~is_last]], paths.capture[~is_last]),
        layer("f", begin[is_last], paths.row[is_last], track[paths.row[is_last]], paths.capture[is_last]),
    ]
