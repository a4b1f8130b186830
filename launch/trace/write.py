"""Puts the layers of a run together and writes them in the order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from deploy.trace_events import metadata, write_events
from launch.config.budget import BudgetConfig
from launch.ledger import REPORTED, Rows, Stage
from launch.trace.activity import activations, arrows, photons, waits
from launch.trace.frame_paths import frame_paths
from launch.trace.layer import Layer, Tracks
from launch.trace.marks import command_age, decisions, episodes, frames_waiting, misses
from launch.trace.timeline import timeline

BLOCK: Final = 4096


def write_trace(
    rows: Rows,
    path: Path,
    *,
    title: str,
    budget: BudgetConfig,
    cameras: Sequence[str],
    virtual: bool,
    measured: bool = True,
) -> int:
    """Write a run as a trace in the Trace Event Format, to open in Perfetto.

    Slices are in the run's own time: on the virtual clock an activation is as long as the profile said. Misses are
    marked in that time too, as the contract is judged.

    Args:
        rows: The run's whole ledger, by number.
        path: Where the trace goes; compressed if the name ends in ".gz".
        title: Name of the run.
        budget: The contract whose breaches are marked.
        cameras: Names, in the order of the configuration.
        virtual: Whether the run's clock was virtual.
        measured: Whether what this machine took is among the arguments of slices; without it two virtual runs of one
            profile and seed give the same bytes.

    Returns:
        Number of events.

    Raises:
        BadInput: If the file cannot be written.
    """
    line = timeline(rows, virtual=virtual)
    tracks = Tracks()
    names = [*cameras, *(f"camera {number}" for number in range(len(cameras), int(rows["camera"].max(initial=-1)) + 1))]
    layers = [episodes(line, tracks), decisions(line, tracks), *misses(line, tracks, budget)]
    photon_track, track = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
    captures = line.of(Stage.CAPTURE)
    for number, name in enumerate(names):
        of_camera = captures[rows["camera"][captures] == number]
        exposed = photons(line, tracks, of_camera, name)
        captured = activations(line, tracks, f"capture {name}", of_camera, names, measured=measured)
        photon_track[of_camera], track[of_camera] = exposed.track, captured.track
        layers += [exposed, captured]
    for stage in REPORTED[1:]:
        before = waits(line, tracks, stage)
        done = activations(line, tracks, stage.label, line.of(stage), names, measured=measured)
        track[done.row] = done.track
        layers += [before, done]
    layers += [*arrows(line, frame_paths(rows), photon_track, track), command_age(line), frames_waiting(line)]
    about = {
        "run": title, "budget": budget.name, "clock": "virtual" if virtual else "wall", "origin_ns": line.origin_ns,
    }  # fmt: skip

    def lines() -> Iterator[str]:
        yield metadata("process_name", 0, {"name": title})
        for number, name in tracks.names.items():
            yield metadata("thread_name", number, {"name": name})
            yield metadata("thread_sort_index", number, {"sort_index": number})
        yield from _in_order(layers, rows)

    return write_events(path, about, lines())


def _in_order(layers: Sequence[Layer], rows: Rows) -> Iterator[str]:
    """The lines of all layers by time; at one instant slices first, a longer one before those inside it."""
    sizes = [len(layer.at_ns) for layer in layers]
    at = np.concatenate([layer.at_ns for layer in layers])
    duration = np.concatenate([np.broadcast_to(layer.duration_ns, layer.at_ns.shape) for layer in layers])
    of_layer = np.repeat(np.arange(len(layers)), sizes)
    index = np.concatenate([np.arange(size) for size in sizes])
    rank = np.repeat([layer.rank for layer in layers], sizes)
    order = np.lexsort((-duration, rank, at))
    for begin in range(0, len(order), BLOCK):
        chosen = order[begin : begin + BLOCK]
        block = np.empty(len(chosen), dtype=object)
        for number in np.unique(of_layer[chosen]):
            here = np.flatnonzero(of_layer[chosen] == number)
            block[here] = list(layers[number].lines(rows, index[chosen[here]]))
        yield from block.tolist()
