"""How often a cube is picked from a conveyor, with and without its track extrapolated to when the plan takes over.

    python benchmarks/moving_cube.py --episodes 50 --policies expert,unaware,tabletop-act --jobs 2 --out moving.jsonl

The reference task on the virtual clock, the cube on a belt that runs to +x, -x, +y and -y of the base in turn. The belt
ends on the table; a cube that got there lies still and is picked by anybody. So an episode ends after 15 s: who fails
at the first grasp hardly has time for a second one. `expert` is the scripted expert; `unaware` is the same one without
the velocity: it goes to where the cube was seen, and corrects itself on the way; other names are models of the store.

One line of JSON per episode goes to the results file, and what is there is not played again: an interrupted benchmark
goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from typing import Any

from episodes import EXPERT, Episode, Row, add_options, mean, played, told

from deploy.errors import BadInput
from launch.cli.values import at_least, words
from launch.machine import machine_facts

UNAWARE = "unaware"
DIRECTIONS: dict[str, tuple[float, float]] = {"+x": (1.0, 0.0), "-x": (-1.0, 0.0), "+y": (0.0, 1.0), "-y": (0.0, -1.0)}
EXTRAPOLATION = {"on": "true", "off": "false"}
LEAST_SUCCESS = 0.8  # of 50 episodes, with extrapolation; `unaware` is there to be compared with


def episodes_of(options: argparse.Namespace) -> list[Episode]:
    """All episodes; every cell has its first one before any has its second."""
    return [
        _episode(policy, extrapolation, number, options)
        for number in range(options.episodes)
        for policy in options.policies
        for extrapolation in options.extrapolation
    ]


def _episode(policy: str, extrapolation: str, number: int, options: argparse.Namespace) -> Episode:
    direction = tuple(DIRECTIONS)[number % len(DIRECTIONS)]
    vx, vy = (options.speed * part for part in DIRECTIONS[direction])
    sets = [
        f"sim.conveyor_m_s=[{vx:g}, {vy:g}]",
        f"task.timeout_s={options.timeout_s:g}",
        f"policy.extrapolate={EXTRAPOLATION[extrapolation]}",
    ]
    if policy == UNAWARE:
        sets.append("policy.options.moving_m_s=1000")
    return Episode(
        EXPERT if policy == UNAWARE else policy, options.seed + number, (*sets, *options.sets),
        profile=options.profile, name=(policy, extrapolation, direction),
    )  # fmt: skip


def summarize(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """A cell for each policy with and without extrapolation, in the order of the rows."""
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        policy, extrapolation, _ = row["name"]
        cells.setdefault((policy, extrapolation), []).append(row)
    return [_cell(policy, extrapolation, found) for (policy, extrapolation), found in cells.items()]


def _cell(policy: str, extrapolation: str, rows: list[Row]) -> dict[str, Any]:
    failed = [row["cause"] for row in rows if not row["success"]]
    successes = len(rows) - len(failed)
    ways: dict[str, list[bool]] = {}
    for row in rows:
        ways.setdefault(row["name"][2], []).append(row["success"])
    return {
        "policy": policy,
        "extrapolation": extrapolation,
        "episodes": len(rows),
        "successes": successes,
        "success_rate": successes / len(rows),
        "interval": wilson(successes, len(rows)),
        "directions": {way: f"{sum(found)}/{len(found)}" for way, found in sorted(ways.items())},
        "causes": {cause: failed.count(cause) for cause in sorted(set(failed))},
        "seconds": mean(row["simulated_s"] for row in rows if row["success"]),
        "attempts": mean(row["attempts"] for row in rows),
    }


def wilson(successes: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    share = successes / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def table(cells: Sequence[dict[str, Any]]) -> str:
    """The cells as text."""
    width = max(6, *(len(cell["policy"]) for cell in cells))
    ways = "".join(f"{way:>8}" for way in DIRECTIONS)
    lines = [f"{'policy':{width}} extrapolated  success  95 % interval{ways}  time s  grasps  why not"]
    for cell in cells:
        low, high = cell["interval"]
        seconds = "-" if cell["seconds"] is None else f"{cell['seconds']:.1f}"
        lines.append(
            f"{cell['policy']:{width}} {cell['extrapolation']:>12}  "
            f"{cell['successes']:>3}/{cell['episodes']:<3}  {low:6.1%} - {high:6.1%}"
            + "".join(f"{cell['directions'].get(way, '-'):>8}" for way in DIRECTIONS)
            + f"  {seconds:>6}  {cell['attempts']:6.1f}  "
            + ", ".join(f"{cause} {count}" for cause, count in cell["causes"].items())
        )
    return "\n".join(lines)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--policies", type=words, default=(EXPERT, UNAWARE), metavar="NAMES",
        help="expert, unaware, models of the store (expert,unaware)",
    )  # fmt: skip
    parser.add_argument("--episodes", type=at_least(1), default=50, metavar="N", help="of each cell (%(default)s)")
    parser.add_argument("--speed", type=float, default=0.05, metavar="M_S", help="of the belt (%(default)s)")
    parser.add_argument("--extrapolation", type=words, default=("on", "off"), metavar="ON,OFF", help="(on,off)")
    parser.add_argument("--timeout-s", type=float, default=15.0, metavar="S", help="of an episode (%(default)s)")
    add_options(parser, 1000, "moving_cube.jsonl")
    options = parser.parse_args(arguments)
    if unknown := [word for word in options.extrapolation if word not in EXTRAPOLATION]:
        raise BadInput(f"--extrapolation {','.join(unknown)}: expected on, off or both")
    return options


def run(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    rows = played(episodes_of(options), options)
    cells = summarize(rows)
    result = {
        "benchmark": "moving_cube", "speed_m_s": options.speed, "timeout_s": options.timeout_s,
        "profile": options.profile, "episodes": options.episodes, "seed": options.seed, "sets": options.sets,
        "results": str(options.out), "cells": cells,
        "kept": all(
            cell["success_rate"] >= LEAST_SUCCESS
            for cell in cells
            if cell["policy"] != UNAWARE and cell["extrapolation"] == "on"
        ),
        "programs": sorted({row["code_sha256"][:12] for row in rows}), "machine": machine_facts(),
    }  # fmt: skip
    if not options.json:
        print(f"cube at {options.speed:g} m/s, profile {options.profile}, {options.timeout_s:g} s an episode")
        print(table(cells))
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(told(run))
