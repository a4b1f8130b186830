"""Policies on the same episodes of the reference task: how often they succeed, why not, how long and how smoothly.

    python benchmarks/policies.py --policies expert,tabletop-act --episodes 100 --jobs 2 --out policies.jsonl

The full pipeline of `eyehand run` on the virtual clock, from detections alone, with a schedule that knows already how
long planning takes, as after some minutes of running; each policy is scheduled in the
way that suits it (`--schedule` names another). One line of JSON per episode goes to the results file, and what is there
is not played again. Why an episode failed is judged by the world's truth, which no policy sees:

* never saw: the gripper never closed, and no observation showed the object
* missed grasp: the gripper closed and the object was never lifted
* dropped: it was lifted, and then lay elsewhere than in the bin
* knocked off: it fell off the table before it was lifted
* timed out: it was held at the end, or seen and never tried
* safe stop: the governor or the ladder stopped the arm
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from episodes import CAUSES, EXPERT, Episode, Row, add_options, mean, most, played, told

from launch.cli.values import at_least, image_size, words
from launch.machine import machine_facts

SCHEDULES = {EXPERT: "naive"}


def episodes_of(policies: Sequence[str], count: int, seed: int, schedule: str | None, **rest: Any) -> list[Episode]:
    """All episodes; every policy plays a seed before any plays the next."""
    sets = tuple(rest.pop("sets", ()))
    found = []
    for number in range(count):
        for policy in policies:
            mode = schedule or SCHEDULES.get(policy)
            own = () if mode is None else (f"policy.schedule.mode={mode}",)
            found.append(Episode(policy, seed + number, (*own, *sets), name=(policy,), **rest))
    return found


def summarize(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One row for each policy; jerk p99s are means of the episodes' p99s."""
    policies = list(dict.fromkeys(row["policy"] for row in rows))
    return [_row(policy, [row for row in rows if row["policy"] == policy]) for policy in policies]


def _row(policy: str, rows: list[Row]) -> dict[str, Any]:
    succeeded = [row for row in rows if row["success"]]
    seconds = [row["simulated_s"] for row in succeeded]
    low, high = interval(len(succeeded), len(rows))
    return {
        "policy": policy,
        "episodes": len(rows),
        "successes": len(succeeded),
        "success_rate": len(succeeded) / len(rows),
        "success_low": low,
        "success_high": high,
        "seconds": mean(seconds),
        "seconds_p90": float(np.percentile(seconds, 90)) if seconds else None,
        "attempts": mean(row["attempts"] for row in rows),
        "second_attempts": sum(row["attempts"] > 1 for row in rows),
        "causes": {cause: sum(row["cause"] == cause for row in rows) for cause in CAUSES},
        "failed_seeds": [row["seed"] for row in rows if not row["success"]],
        "starved_ticks": mean(row["starved_ticks"] for row in rows),
        "plans": mean(row["plans"] for row in rows),
        **{
            f"{name}_jerk_{figure}": of(row[f"{name}_jerk"][figure] for row in rows)
            for name in ("target", "commanded", "measured")
            for figure, of in (("p99", mean), ("max", most))
        },
        "at_limit": mean(row["at_limit"] for row in rows),
    }


def interval(successes: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z = 1.959964
    share, extra = successes / count, z * z / count
    middle = (share + extra / 2) / (1 + extra)
    half = z / (1 + extra) * float(np.sqrt(share * (1 - share) / count + extra / (4 * count)))
    return max(0.0, middle - half), min(1.0, middle + half)


def table(found: Sequence[dict[str, Any]]) -> str:
    """The policies as text, a column for each."""
    lines = [
        ("policy", "policy", "s"),
        ("succeed", "success_rate", ".1%"),
        ("  95 % interval", "interval", "s"),
        ("episodes", "episodes", "d"),
        ("time of a success, mean [s]", "seconds", ".1f"),
        ("  p90 [s]", "seconds_p90", ".1f"),
        ("grasps tried, mean", "attempts", ".2f"),
        ("episodes with more than one", "second_attempts", "d"),
        *((f"failed: {cause}", f"cause {cause}", "d") for cause in CAUSES),
        ("starved ticks, mean", "starved_ticks", ".1f"),
        ("plans, mean", "plans", ".1f"),
        ("jerk of the target, p99 [rad/s3]", "target_jerk_p99", ".0f"),
        ("jerk of the joints, p99 [rad/s3]", "measured_jerk_p99", ".1f"),
        ("jerk commanded, p99 [rad/s3]", "commanded_jerk_p99", ".1f"),
        ("  max [rad/s3]", "commanded_jerk_max", ".1f"),
        ("  ticks at its limit", "at_limit", ".1%"),
    ]
    flat = [
        {
            **row, **{f"cause {cause}": count for cause, count in row["causes"].items()},
            "interval": f"{row['success_low']:.1%} - {row['success_high']:.1%}",
        }
        for row in found
    ]  # fmt: skip
    width = max(17, *(len(row["policy"]) + 2 for row in found))
    return "\n".join(
        f"{head:34}" + "".join(f"{'-' if row[key] is None else format(row[key], form):>{width}}" for row in flat)
        for head, key, form in lines
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--policies", type=words, default=(EXPERT,), help="expert, and models in the store, with commas"
    )
    parser.add_argument("--episodes", type=at_least(1), default=100, help="of each policy (default %(default)s)")
    parser.add_argument("--schedule", default=None, metavar="MODE", help="of all policies (default: naive for expert)")
    parser.add_argument("--size", type=image_size, default=(640, 480), help="of the camera's pictures (640x480)")
    add_options(parser, 81_000, "policies.jsonl")
    return parser.parse_args(arguments)


def run(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    episodes = episodes_of(
        options.policies, options.episodes, options.seed, options.schedule,
        profile=options.profile, size=options.size, sets=options.sets,
    )  # fmt: skip
    rows = played(episodes, options)
    found = summarize(rows)
    result = {
        "benchmark": "policies", "profile": options.profile, "size": list(options.size), "seed": options.seed,
        "sets": options.sets, "results": str(options.out), "policies": found,
        "programs": sorted({row["code_sha256"][:12] for row in rows}), "machine": machine_facts(),
    }  # fmt: skip
    if not options.json:
        print(table(found))
        for row in found:
            if row["failed_seeds"]:
                print(f"seeds at which {row['policy']} failed: {', '.join(map(str, row['failed_seeds']))}")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(told(run))
