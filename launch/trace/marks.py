"""What stands out: episodes, decisions of the ladder, misses; and the age of the photons and the frames that wait."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deploy.trace_events import Value, complete, counter, instant
from launch.config.budget import BudgetConfig
from launch.ledger import Outcome, Reason, Rung, Stage
from launch.trace.frame_paths import first_of, frame_numbers
from launch.trace.layer import CURVES, MARKS, SLICES, Event, Layer, Tracks, ms
from launch.trace.timeline import NEVER, Int64, Timeline


def episodes(line: Timeline, tracks: Tracks) -> Layer:
    """Each episode, until the next one or until nothing happens any more."""
    rows = line.of(Stage.EPISODE)
    begin = line.begin_ns[rows]
    end = np.append(begin[1:], line.end_ns.max(initial=0))[: len(rows)]

    def text(event: Event) -> str:
        return complete(f"episode {event.row.sequence}", "episode", event.track, event.at_ns, event.duration_ns, {})

    return Layer(begin, rows, text, SLICES, tracks.add("episodes") if len(rows) else 0, np.maximum(end - begin, 0))


def decisions(line: Timeline, tracks: Tracks) -> Layer:
    """Each decision of the ladder, with its reason."""
    rows = line.of(Stage.LADDER)

    def text(event: Event) -> str:
        row = event.row
        reason = Reason(row.decision)
        args: dict[str, Value] = {"reason": reason.sentence}
        if row.other >= 0:
            args["stage"] = Stage(row.other).label
        args["value_ms"] = ms(row.measured_ns)
        if row.modelled_ns:
            args["limit_ms"] = ms(row.modelled_ns)
        if row.wait_ns:
            args["slack_ms"] = ms(row.wait_ns)
        if row.frame >= 0:
            args["frame"] = row.frame
        return instant(decision_name(Rung(row.rung), reason), "ladder", event.track, event.at_ns, args)

    return Layer(line.begin_ns[rows], rows, text, MARKS, tracks.add("ladder") if len(rows) else 0)


def decision_name(rung: Rung, reason: Reason) -> str:
    """What a decision is called: its rung, and on the way back that it is left.

    Example:
        >>> decision_name(Rung.HOLD, Reason.CHUNK_EXHAUSTED), decision_name(Rung.DROP, Reason.KEPT_AGAIN)
        ('hold', 'back to normal')
    """
    if not reason.is_return:
        return rung.name.lower()
    if rung is Rung.DROP:
        return "back to normal"
    return "back to the configured engine" if rung is Rung.FALLBACK else f"back to {rung.name.lower()}"


def misses(line: Timeline, tracks: Tracks, budget: BudgetConfig) -> list[Layer]:
    """Each breach of a clause, in the run's time as the contract is judged, where it was known."""
    track = 0
    layers = []
    for clause, limit_ms, rows, value_ns, at_ns in _held_against_limits(line, budget):
        broken = value_ns > round(limit_ms * 1e6)
        if np.any(broken):
            track = track or tracks.add("misses")
            layers.append(_miss(clause, limit_ms, track, rows[broken], value_ns[broken], at_ns[broken]))
    return layers


def _miss(clause: str, limit_ms: float, track: int, rows: Int64, value_ns: Int64, at_ns: Int64) -> Layer:
    def text(event: Event) -> str:
        args: dict[str, Value] = {"value_ms": ms(event.extra), "limit_ms": limit_ms}
        if event.row.frame >= 0:
            args["frame"] = event.row.frame
        return instant(clause, "miss", event.track, event.at_ns, args)

    return Layer(at_ns, rows, text, MARKS, track, extra=value_ns)


def _held_against_limits(line: Timeline, budget: BudgetConfig) -> Iterator[tuple[str, float, Int64, Int64, Int64]]:
    """What the clauses speak of: clause, limit [ms], rows, values [ns], and when each was known [ns]."""
    done = (line.rows["outcome"] != Outcome.ERROR) & (line.rows["outcome"] != Outcome.DROPPED)
    for kind, limits in (("stage", budget.stages_ms), ("hard", budget.hard_ms)):
        for stage, limit in limits.items():
            rows = line.of(Stage[stage.upper()])
            rows = rows[done[rows]]
            yield f"{kind}.{stage}", limit, rows, line.took_ns[rows], line.end_ns[rows]
    sends, chunk = _following_commands(line)
    age, end = line.end_ns[sends] - line.photon_ns[sends], line.end_ns[sends]
    if budget.reaction_ms is not None:
        first = chunk > np.maximum.accumulate(np.concatenate(([-1], chunk)))[: len(chunk)]
        yield "reaction", budget.reaction_ms, sends[first], age[first], end[first]
    if budget.command_age_ms is not None:
        yield "command_age", budget.command_age_ms, sends, age, end
    if budget.control_lateness_ms is not None:
        ticks = line.of(Stage.IK)
        yield "control_lateness", budget.control_lateness_ms, ticks, line.rows["wait_ns"][ticks], line.begin_ns[ticks]
    if budget.detections_age_ms is not None:
        plans = line.of(Stage.PLAN)
        plans = plans[done[plans]]
        begin = line.begin_ns[plans]
        yield "detections_age", budget.detections_age_ms, plans, begin - line.photon_ns[plans], begin


def _following_commands(line: Timeline) -> tuple[Int64, Int64]:
    """SEND rows of commands that followed a chunk, and the chunks' numbers."""
    ticks, sends = line.of(Stage.IK), line.of(Stage.SEND)
    tick = first_of(line.rows["sequence"][ticks], line.rows["sequence"][sends])
    sends, tick = sends[tick >= 0], ticks[tick[tick >= 0]]
    chunk = line.rows["input"][tick]
    follows = (chunk >= 0) & (line.rows["rung"][tick] < Rung.HOLD)
    return sends[follows], chunk[follows]


def command_age(line: Timeline) -> Layer:
    """Age of the photons behind each command when it was sent; it grows where the arm holds."""
    sends = line.of(Stage.SEND)
    sends = sends[line.has_photons[sends]]

    def text(event: Event) -> str:
        return counter("command age", event.at_ns, {"ms": ms(event.extra)})

    at = line.end_ns[sends]
    return Layer(at, sends, text, CURVES, extra=at - line.photon_ns[sends])


def frames_waiting(line: Timeline) -> Layer:
    """How many frames lie between arrival and the perception loop; of a camera never more than one."""
    rows = line.rows
    captures = line.of(Stage.CAPTURE)
    arrived = line.end_ns[captures]
    numbers = frame_numbers(rows, rows["sequence"])[captures]
    left = _overtaken(line, captures)
    predicted = (rows["stage"] == Stage.TRACK) & (rows["input"] < 0)
    too_late = (rows["stage"] == Stage.LADDER) & (rows["decision"] == Reason.TOO_LATE)
    for users, field in ((rows["stage"] == Stage.DETECT, "input"), (predicted, "other"), (too_late, "input")):
        found = first_of(numbers, frame_numbers(rows, rows[field])[users])
        np.minimum.at(left, found[found >= 0], line.begin_ns[users][found >= 0])
    left = np.maximum(left, arrived)[left < NEVER]
    at, change = np.unique(np.concatenate((arrived, left)), return_inverse=True)
    level = np.cumsum(np.bincount(change, np.repeat((1.0, -1.0), (len(arrived), len(left))))).astype(np.int64)
    changes = np.flatnonzero(np.diff(level, prepend=-1))  # the first one counts, so that the curve is there at all

    def text(event: Event) -> str:
        return counter("frames", event.at_ns, {"waiting": event.extra})

    return Layer(at[changes], np.zeros(len(changes), dtype=np.int64), text, CURVES, extra=level[changes])


def _overtaken(line: Timeline, captures: Int64) -> Int64:
    """When each frame's camera delivered the next one of the episode, or the episode ended [ns]; NEVER at the end."""
    begins = line.of(Stage.EPISODE)
    episode = np.searchsorted(begins, captures)
    left: Int64 = np.append(line.begin_ns[begins], NEVER)[episode]
    camera = line.rows["camera"][captures]
    for number in np.unique(camera):
        of_camera = np.flatnonzero(camera == number)
        left[of_camera[:-1]] = np.minimum(left[of_camera[:-1]], line.end_ns[captures[of_camera[1:]]])
    return left
