"""How far a policy's chunks lie off demonstrations that it has not learnt from, in the units of the action."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from geometry.types import BoolArray, IntArray
from policy.features import ACTION
from policy.training.chunks import IS_PAD, Batch, clean, with_prefix
from policy.training.demonstrations import Demonstrations, Floats

FRAMES = 512  # judged at most, spread over the held-out episodes
FROZEN = 3  # actions, where a prefix is judged: a delay of 200 to 300 ms at 10 Hz


def held_out_error(
    predict: Callable[[Batch, IntArray], Floats],
    data: Demonstrations,
    frames: IntArray,
    chunk_size: int,
    prefix: int,
) -> dict[str, dict[str, float]]:
    """Mean absolute error of the actions, padding left out.

    Args:
        predict: From a batch of inputs, and its frames, to actions (B, chunk, 7), in units.
        data: Demonstrations.
        frames: Shape (M,): held-out frames.
        chunk_size: Actions in a chunk.
        prefix: Most frozen actions of the policy; 0 if it takes none.

    Returns:
        By case, `free` and, with a prefix, `frozen` (the actions after it): what `by_unit` gives.
    """
    rows = frames[np.unique(np.linspace(0, len(frames) - 1, min(FRAMES, len(frames))).astype(int))]
    cases = {"free": 0} if prefix == 0 else {"free": 0, "frozen": min(FROZEN, prefix)}
    out = {}
    for case, length in cases.items():
        batch = with_prefix(clean(data, rows, chunk_size), np.full(len(rows), length), prefix)
        error = np.abs(predict(batch, rows) - batch[ACTION])[:, length:]
        out[case] = by_unit(error, batch[IS_PAD][:, length:], data.units(ACTION))
    return out


def by_unit(error: Floats, pad: BoolArray, units: Sequence[str]) -> dict[str, float]:
    """Mean of absolute errors by unit, and their 95th percentile.

    Args:
        error: Shape (B, chunk, numbers).
        pad: Shape (B, chunk): actions that do not count.
        units: Of the numbers: `rad`, `m`, and `1` of the gripper.

    Returns:
        By unit the mean, and under `<unit> p95` the percentile.
    """
    out = {}
    for unit in dict.fromkeys(units):
        columns = [i for i, other in enumerate(units) if other == unit]
        counted = error[~pad][:, columns]
        out[unit] = float(counted.mean())
        out[f"{unit} p95"] = float(np.percentile(counted, 95))
    return out
