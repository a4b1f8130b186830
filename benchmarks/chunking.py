"""How chunks should follow one another: each way, at planning delays up to 300 ms, on the same episodes.

    python benchmarks/chunking.py --policy tabletop-act --episodes 20 --jobs 2 --out chunking.jsonl

The reference task on the virtual clock, profile `orin_agx`, frames at 10 Hz; the delay comes on top of what planning
takes there. One line of JSON per episode goes to the results file, and what is there is not played again: an
interrupted benchmark goes on where it stopped. The table and a plot beside the file (.png) are of what is there.

See docs/chunking.md for the ways and for how to read the figures, `smoothness.py` for what jerk means here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from episodes import EXPERT, Episode, Row, add_options, mean, most, played, told

from deploy.errors import BadInput
from launch.cli.values import at_least, image_size, words
from launch.machine import machine_facts

MODES = ("synchronous", "naive", "blend", "ensemble", "rtc")
DELAYS_MS = (0, 50, 100, 200, 300)
JUDGED_MODES, JUDGED_MS = ("blend", "rtc"), 200
LEAST_SUCCESS, MOST_RATIO = 0.9, 1.5
JERKS = ("target", "commanded", "measured")
WIDE = 20.0  # a range that a plot shows by its logarithm


def episodes_of(
    policy: str, modes: Sequence[str], delays_ms: Sequence[int], count: int, seed: int, **rest: Any
) -> list[Episode]:
    """All episodes of the benchmark; every cell has its first one before any has its second."""
    sets = tuple(rest.pop("sets", ()))
    return [
        Episode(
            policy, seed + number, (f"policy.schedule.mode={mode}", f"profile.add_ms.plan={delay_ms}", *sets),
            name=(mode, delay_ms), **rest,
        )
        for number in range(count)
        for mode in modes
        for delay_ms in delays_ms
    ]  # fmt: skip


def summarize(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """A cell for each mode and delay, in the order of the rows; jerk p99s are means of the episodes' p99s."""
    cells: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        cells.setdefault(tuple(row["name"]), []).append(row)
    result = [_cell(mode, delay_ms, found) for (mode, delay_ms), found in cells.items()]
    undelayed = {cell["mode"]: cell for cell in result if cell["add_ms"] == 0}
    for cell in result:
        own = undelayed.get(cell["mode"])
        for name in JERKS:
            now, then = cell[f"{name}_jerk_p99"], own and own[f"{name}_jerk_p99"]
            cell[f"{name}_ratio"] = now / then if now is not None and then else None
    return result


def _cell(mode: str, delay_ms: int, rows: list[Row]) -> dict[str, Any]:
    failed = [row["cause"] for row in rows if not row["success"]]
    return {
        "mode": mode,
        "add_ms": delay_ms,
        "episodes": len(rows),
        "successes": len(rows) - len(failed),
        "success_rate": 1.0 - len(failed) / len(rows),
        "causes": {cause: failed.count(cause) for cause in sorted(set(failed))},
        "seconds": mean(row["simulated_s"] for row in rows if row["success"]),
        "starved_ticks": mean(row["starved_ticks"] for row in rows),
        "at_limit": mean(row["at_limit"] for row in rows),
        **{f"{name}_jerk_p99": mean(row[f"{name}_jerk"]["p99"] for row in rows) for name in JERKS},
        **{f"{name}_jerk_max": most(row[f"{name}_jerk"]["max"] for row in rows) for name in JERKS},
        "seams": mean(row["seams"] for row in rows),
        "seam_jump_mrad_p99": mean(row["seam_jump_mrad"]["p99"] for row in rows),
        "seam_jump_mrad_max": most(row["seam_jump_mrad"]["max"] for row in rows),
        "seam_speed_jump_rad_s_p99": mean(row["seam_speed_jump_rad_s"]["p99"] for row in rows),
        "seam_speed_jump_rad_s_max": most(row["seam_speed_jump_rad_s"]["max"] for row in rows),
    }


def judge(cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Whether success and smoothness survive 200 ms, for the modes that are made for it."""
    verdicts = []
    for cell in cells:
        if cell["mode"] not in JUDGED_MODES or cell["add_ms"] != JUDGED_MS:
            continue
        ratios = {name: cell[f"{name}_ratio"] for name in JERKS}
        known = [ratio for ratio in ratios.values() if ratio is not None]
        verdicts.append(
            {
                "mode": cell["mode"], "success_rate": cell["success_rate"], "ratios": ratios,
                "kept": cell["success_rate"] >= LEAST_SUCCESS and len(known) == len(JERKS) and max(known) <= MOST_RATIO,
            }
        )  # fmt: skip
    return verdicts


COLUMNS: tuple[tuple[str, str, str, str], ...] = (
    # two lines of the head, key, format
    ("", "time s", "seconds", "6.1f"),
    ("starved", "ticks", "starved_ticks", "7.1f"),
    ("target jerk", "p99", "target_jerk_p99", "11.0f"),
    ("", "max", "target_jerk_max", "7.0f"),
    ("", "of own", "target_ratio", "6.2f"),
    ("measured", "p99", "measured_jerk_p99", "8.1f"),
    ("", "max", "measured_jerk_max", "6.0f"),
    ("", "of own", "measured_ratio", "6.2f"),
    ("commanded", "p99", "commanded_jerk_p99", "9.1f"),
    ("", "max", "commanded_jerk_max", "6.0f"),
    ("at", "limit", "at_limit", "6.1%"),
    ("seam jump", "p99 mrad", "seam_jump_mrad_p99", "9.2f"),
    ("", "rad/s", "seam_speed_jump_rad_s_p99", "6.3f"),
)


def table(cells: Sequence[dict[str, Any]]) -> str:
    """The cells as text, by mode, then by delay."""
    widths = [int(form.split(".")[0]) for _, _, _, form in COLUMNS]
    heads = [
        " ".join(f"{column[line]:>{width}}" for column, width in zip(COLUMNS, widths, strict=True)) for line in (0, 1)
    ]
    lines = [f"{'':11} {'delay':>5} {'':>8} {heads[0]}", f"{'mode':11} {'ms':>5} {'success':>8} {heads[1]}"]
    modes = list(dict.fromkeys(cell["mode"] for cell in cells))
    for cell in sorted(cells, key=lambda cell: (modes.index(cell["mode"]), cell["add_ms"])):
        texts = [
            f"{'-':>{w}}" if cell[key] is None else f"{cell[key]:{form}}"
            for (_, _, key, form), w in zip(COLUMNS, widths, strict=True)
        ]
        share = f"{cell['successes']}/{cell['episodes']}"
        lines.append(f"{cell['mode']:11} {cell['add_ms']:5g} {share:>8} " + " ".join(texts))
    return "\n".join(lines)


def plot(cells: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Success, time, starvation and smoothness against the delay, a line for each mode."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    panels = (
        ("success_rate", "episodes that succeed", 100.0, "%"),
        ("seconds", "time of an episode", 1.0, "s"),
        ("starved_ticks", "starved ticks in an episode", 1.0, ""),
        ("target_jerk_p99", "jerk of the target, p99", 1e-3, "10³ rad/s³"),
        ("measured_jerk_p99", "jerk of the measured joints, p99", 1.0, "rad/s³"),
        ("seam_jump_mrad_p99", "jump of the target at a seam, p99", 1.0, "mrad"),
    )
    figure, axes = plt.subplots(2, 3, figsize=(13, 7), layout="constrained")
    modes = list(dict.fromkeys(cell["mode"] for cell in cells))
    for axis, (key, name, scale, unit) in zip(axes.flat, panels, strict=True):
        for mode in modes:
            number = MODES.index(mode)
            found = sorted(
                (cell["add_ms"], cell[key]) for cell in cells if cell["mode"] == mode and cell[key] is not None
            )
            if found:
                x, y = zip(*found, strict=True)
                axis.plot(
                    x, [scale * value for value in y], label=mode, color=f"C{number}", marker="osD^v"[number],
                    linestyle=("-", "--", "-.", ":", "-")[number], alpha=0.85,
                )  # fmt: skip
        axis.set_title(name, fontsize=11)
        axis.set_xlabel("added planning delay [ms]")
        axis.set_ylabel(unit and f"[{unit}]")
        axis.set_xticks(sorted({cell["add_ms"] for cell in cells}))
        found = [scale * cell[key] for cell in cells if cell[key] is not None]
        if key == "target_jerk_p99" and found and max(found) > WIDE * min(found) > 0.0:
            axis.set_yscale("log")
        else:
            axis.set_ylim(0, 105 if key == "success_rate" else 1.12 * max(found, default=0.0) or 1.0)
        axis.grid(alpha=0.3)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def show(result: dict[str, Any], cells: Sequence[dict[str, Any]]) -> None:
    print(f"policy {result['policy']}, profile {result['profile']}, frames of {result['size'][0]}x{result['size'][1]}")
    print(table(cells))
    for verdict in result["verdicts"]:
        ratios = ", ".join(
            f"{name} {'-' if ratio is None else f'{ratio:.2f}'}" for name, ratio in verdict["ratios"].items()
        )
        print(
            f"{'kept' if verdict['kept'] else 'NOT kept'}: {verdict['mode']} at {JUDGED_MS} ms: "
            f"{verdict['success_rate']:.0%} succeed (at least {LEAST_SUCCESS:.0%}); p99 of jerk against its own "
            f"without delay: {ratios} (at most {MOST_RATIO:g})"
        )
    for line in result["left_out"]:
        print(f"left out: {line}")


def _delays(text: str) -> tuple[int, ...]:
    try:
        delays = tuple(int(part) for part in text.split(","))
    except ValueError:
        delays = ()
    if not delays or not all(0 <= delay <= 5000 for delay in delays):
        raise argparse.ArgumentTypeError(f"{text!r}: expected milliseconds with commas between them, such as 0,100,200")
    return delays


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--policy", default=EXPERT, help="expert, or a learned policy in the model store (%(default)s)")
    parser.add_argument("--modes", type=words, default=MODES, help=f"with commas (default {','.join(MODES)})")
    parser.add_argument(
        "--delays", type=_delays, default=DELAYS_MS, metavar="MS", help="with commas (0,50,100,200,300)"
    )
    parser.add_argument("--episodes", type=at_least(1), default=20, help="of each cell (default %(default)s)")
    parser.add_argument("--size", type=image_size, default=(320, 240), help="of the camera's pictures (320x240)")
    add_options(parser, 71_000, "chunking.jsonl")
    options = parser.parse_args(arguments)
    if unknown := [mode for mode in options.modes if mode not in MODES]:
        raise BadInput(f"--modes {','.join(unknown)}: expected some of {','.join(MODES)}")
    return options


def run(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    left_out = []
    modes = options.modes
    if options.policy == EXPERT and "rtc" in modes:
        modes = tuple(mode for mode in modes if mode != "rtc")
        left_out.append("rtc: the expert goes on from its own last plan, not from a frozen prefix")
    episodes = episodes_of(
        options.policy, modes, options.delays, options.episodes, options.seed,
        profile=options.profile, size=options.size, sets=options.sets,
    )  # fmt: skip
    rows = played(episodes, options)
    cells = summarize(rows)
    picture = options.out.with_suffix(".png")
    try:
        plot(
            cells, picture, f"policy {options.policy}, {options.episodes} episode(s) a cell, profile {options.profile}"
        )
    except ImportError:
        left_out.append("the plot: matplotlib is not installed: pip install 'eyehand[viz]'")
    result = {
        "benchmark": "chunking", "policy": options.policy, "profile": options.profile, "size": list(options.size),
        "episodes": options.episodes, "seed": options.seed, "sets": options.sets, "results": str(options.out),
        "cells": cells, "verdicts": judge(cells), "left_out": left_out,
        "programs": sorted({row["code_sha256"][:12] for row in rows}), "machine": machine_facts(),
    }  # fmt: skip
    if not options.json:
        show(result, cells)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(told(run))
