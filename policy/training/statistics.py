"""Statistics that LeRobot's processors normalise by: of the vectors as the policy will see them, prefix included."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geometry.types import Array
from policy.features import ACTION, ENVIRONMENT, unit_of
from policy.training.chunks import PREFIX_SHARE
from policy.training.demonstrations import Demonstrations, Floats
from policy.training.options import FLOOR


def statistics(data: Demonstrations, prefix: int, floor: Mapping[str, float] = FLOOR) -> dict[str, dict[str, Floats]]:
    """Mean, spread, least and largest of each number.

    Those of a frozen prefix are of a mixture: the actions, and the zeros where nothing is frozen. With the actions' own
    mean and spread, a joint at -1.57 rad that hardly moves would turn those zeros into numbers in the hundreds.

    Args:
        data: Demonstrations.
        prefix: Most frozen actions.
        floor: Least spread by unit: what never varies in the demonstrations is not blown up where it does at run time.

    Returns:
        `mean`, `std`, `min`, `max` by feature, shape (numbers,), float32.
    """
    out = {}
    for feature, rows in data.vectors.items():
        out[feature] = _floored(_of(rows.astype(np.float64)), data.names[feature], floor)
    if prefix:
        parts = [out[ENVIRONMENT]] if ENVIRONMENT in out else []
        parts += [_length(prefix), *(_row(out[ACTION], row, prefix) for row in range(prefix))]
        out[ENVIRONMENT] = {key: np.concatenate([part[key] for part in parts]) for key in parts[-1]}
    return {feature: {key: a.astype(np.float32) for key, a in stats.items()} for feature, stats in out.items()}


def _of(rows: Array) -> dict[str, Array]:
    return {"mean": rows.mean(axis=0), "std": rows.std(axis=0), "min": rows.min(axis=0), "max": rows.max(axis=0)}


def _floored(stats: dict[str, Array], names: tuple[str, ...], floor: Mapping[str, float]) -> dict[str, Array]:
    least = np.array([floor.get(unit_of(name) or "", 1e-3) for name in names])
    middle, half = (stats["max"] + stats["min"]) / 2, np.maximum((stats["max"] - stats["min"]) / 2, least)
    return {**stats, "std": np.maximum(stats["std"], least), "min": middle - half, "max": middle + half}


def _length(prefix: int) -> dict[str, Array]:
    """Of the length: 0, or anything from 1 to the most."""
    lengths = np.arange(prefix + 1.0)
    share = np.array([1.0 - PREFIX_SHARE, *[PREFIX_SHARE / prefix] * prefix])
    mean = float(share @ lengths)
    std = float(np.sqrt(share @ (lengths - mean) ** 2))
    return {key: np.array([value]) for key, value in (("mean", mean), ("std", std), ("min", 0.0), ("max", prefix))}


def _row(action: dict[str, Array], row: int, prefix: int) -> dict[str, Array]:
    """Of a frozen action: there where the length is larger than its row, else 0."""
    share = PREFIX_SHARE * (prefix - row) / prefix
    mean = share * action["mean"]
    second = share * (action["std"] ** 2 + action["mean"] ** 2)
    return {
        "mean": mean,
        "std": np.sqrt(second - mean**2),
        "min": np.minimum(action["min"], 0.0),
        "max": np.maximum(action["max"], 0.0),
    }
