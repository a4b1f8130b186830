"""`eyehand eval tracking`: ground truth and tracks as MOT files in, HOTA, CLEAR and identity figures out."""

from __future__ import annotations

import argparse
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from deploy.errors import require
from launch.cli.say import count, progress, result

if TYPE_CHECKING:
    from tracking.evaluation import Scores

# Columns of the table: title, and the figures below it with their names in the JSON.
COLUMNS = {
    "HOTA, %": {"HOTA": "hota", "DetA": "deta", "AssA": "assa", "LocA": "loca"},
    "CLEAR, %": {"MOTA": "mota", "MOTP": "motp", "precision": "precision", "recall": "recall"},
    "identity, %": {"IDF1": "idf1", "IDP": "idp", "IDR": "idr"},
    "count": {
        "FP": "fp",
        "FN": "fn",
        "IDs": "ids",
        "fragmentations": "fragmentations",
        "mostly tracked": "mostly_tracked",
        "mostly lost": "mostly_lost",
    },
}


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    require("motmetrics", "eval")

    from tracking.evaluation import evaluate, read_identified

    truth, tracks = read_identified(options.truth), read_identified(options.tracks)
    scores = evaluate(truth, tracks, iou=options.iou, distance_m=options.distance)
    for note in scores.notes:
        progress(note)
    value = {"truth": options.truth, "tracks": options.tracks, **scores.to_dict()}
    if options.json:
        result(value)
    else:
        _print(value, scores)
    return 0


def _print(value: dict[str, Any], scores: Scores) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True, markup=False)
    how = f"IoU >= {scores.threshold:g}" if scores.similarity == "iou" else f"within {scores.threshold:g} m"
    console.print(f"{value['tracks']} against {value['truth']}, {how}:")
    console.print(
        f"{count(scores.frames, 'frame')}, {count(scores.objects, 'object')} in {count(scores.truth_rows, 'row')} of "
        f"truth, {count(scores.track_rows, 'row')} of tracks"
    )
    table = Table(*COLUMNS)
    columns = [
        [_cell(title, value[name], max(map(len, figures))) for title, name in figures.items()]
        for figures in COLUMNS.values()
    ]
    for row in zip_longest(*columns, fillvalue=""):
        table.add_row(*row)
    console.print(table)
    if scores.mean_distance_m is not None:
        console.print(f"mean distance of the matches {scores.mean_distance_m:.4f} m")


def _cell(title: str, figure: float | None, width: int) -> str:
    text = "-" if figure is None else f"{figure:.2f}" if isinstance(figure, float) else str(figure)
    return f"{title:<{width}} {text:>6}"
