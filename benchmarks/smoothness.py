"""How smooth an arm's motion is, from what happened at each control tick.

Jerk is the third difference over the period cubed, of the joint that is worst at that tick, and only where the arm is
told to move: a mode that lets the arm wait would otherwise look smooth for it, and the blow of the closing gripper is
not the chunks' doing. Three motions are looked at:

* `target`: what the chunks ask for, before the trajectory follower makes jerk-limited motion of it. Nothing limits it,
  so it shows what a seam does: a jump of 1 mrad at 100 Hz is 3,000 rad/s^3. The corners between the actions of one
  chunk (it is piecewise linear) are in it, too.
* `commanded`: what the arm was sent. The follower is time-optimal: wherever the target is not smooth, it brakes and
  speeds up at the limit of its jerk, so the p99 of this one is that limit in any mode; `at_limit` says how often.
* `measured`: what the joints did, which is `commanded` through the servos and the masses.

A seam's jump is how far the followed target moves at the tick at which a new chunk takes over, in place and in speed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
MOVING_RAD_S = 0.01
NEAR_LIMIT = 0.95
_NOWHERE = np.full(6, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """One control tick.

    Attributes:
        now_ns: When [ns].
        chunk: Number of the chunk that was followed; -1 for none.
        here, ahead: Shape (6,), the target now and at the next tick [rad]; NaN where the arm was told to hold.
        commanded: Shape (6,), what the arm was sent [rad].
        measured: Shape (6,), the joints at `measured_ns` [rad].
        measured_ns: When they were there [ns].
    """

    now_ns: int
    chunk: int
    here: Array
    ahead: Array
    commanded: Array
    measured: Array
    measured_ns: int


@dataclass(slots=True)
class Motion:
    """The ticks of an episode, and what comes of them."""

    period_ns: int
    limits_rad_s3: Array
    ticks: list[Tick] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """The episode's figures: jerks [rad/s^3], jumps of seams [mrad, rad/s]."""
        ticks = self.ticks
        stamps = np.array([tick.now_ns for tick in ticks], dtype=np.int64)
        commanded = self._column("commanded")
        moving = is_moving(commanded, self.period_ns)
        measured_at = np.array([tick.measured_ns for tick in ticks], dtype=np.int64)
        jerks = {
            "target": worst_jerk(stamps, self._column("ahead"), self.period_ns, moving),
            "commanded": worst_jerk(stamps, commanded, self.period_ns, moving),
            "measured": worst_jerk(measured_at, self._column("measured"), self.period_ns, moving),
        }
        shares = worst_jerk(stamps, commanded / self.limits_rad_s3, self.period_ns, moving)
        places, speeds = self.seams()
        return {
            "ticks": len(ticks),
            "held_ticks": sum(bool(np.isnan(tick.ahead[0])) for tick in ticks),
            **{f"{name}_jerk": spread(values) for name, values in jerks.items()},
            "at_limit": float(np.mean(shares >= NEAR_LIMIT)) if len(shares) else 0.0,
            "seams": len(places),
            "seam_jump_mrad": spread(1e3 * places),
            "seam_speed_jump_rad_s": spread(speeds),
        }

    def seams(self) -> tuple[Array, Array]:
        """Jumps of the worst joint at each tick that took up a new chunk while one was followed [rad], [rad/s]."""
        places, speeds = [], []
        for before, tick in zip(self.ticks[:-1], self.ticks[1:], strict=True):
            in_time = tick.now_ns - before.now_ns == self.period_ns
            if not in_time or tick.chunk == before.chunk or np.isnan(before.ahead[0] + tick.ahead[0]):
                continue
            places.append(np.abs(tick.here - before.ahead).max())
            slope, slope_before = tick.ahead - tick.here, before.ahead - before.here
            speeds.append(np.abs(slope - slope_before).max() / (self.period_ns * 1e-9))
        return np.array(places), np.array(speeds)

    def _column(self, name: str) -> Array:
        return np.array([getattr(tick, name) for tick in self.ticks]).reshape(-1, 6)


def is_moving(joints_rad: Array, period_ns: int) -> npt.NDArray[np.bool_]:
    """Whether a joint turns between each tick and the next, shape (N - 1,) of (N, J)."""
    speed = np.abs(np.diff(joints_rad, axis=0)).max(axis=1, initial=0.0) / (period_ns * 1e-9)
    return np.asarray(speed > MOVING_RAD_S)


def worst_jerk(stamps_ns: npt.NDArray[np.int64], joints: Array, period_ns: int, moving: npt.NDArray[np.bool_]) -> Array:
    """Jerk of the joint that is worst, by third differences.

    Args:
        stamps_ns: Shape (N,).
        joints: Shape (N, J) in any unit; rows of NaN where there is nothing.
        period_ns: Stamps that are not this far apart, to a microsecond, are not differentiated across.
        moving: Shape (N - 1,): only differences that touch a true one count.

    Returns:
        Shape (M,), M <= N - 3, per s^3.
    """
    if len(stamps_ns) < 4:
        return np.empty(0)
    even = np.abs(np.diff(stamps_ns) - period_ns) <= 1000
    jerk = np.abs(np.diff(joints, 3, axis=0)).max(axis=1) / (period_ns * 1e-9) ** 3
    whole = even[:-2] & even[1:-1] & even[2:] & np.isfinite(jerk)
    return np.asarray(jerk[whole & (moving[:-2] | moving[1:-1] | moving[2:])])


def spread(values: Array) -> dict[str, float | None]:
    """Median, p99 and maximum; null of nothing."""
    if not len(values):
        return {"p50": None, "p99": None, "max": None}
    p50, p99, largest = np.percentile(values, [50, 99, 100])
    return {"p50": float(p50), "p99": float(p99), "max": float(largest)}


def tick_of(
    now_ns: int,
    chunk: int,
    target: tuple[Array, Array] | None,
    period_s: float,
    commanded: Array,
    measured: Array,
    measured_ns: int,
) -> Tick:
    """A tick from what the follower was given: the next tick's target and its speed; None where it had to hold."""
    ahead = _NOWHERE if target is None else np.array(target[0], dtype=np.float64)
    here = _NOWHERE if target is None else ahead - period_s * np.asarray(target[1], dtype=np.float64)
    return Tick(now_ns, chunk, here, ahead, np.array(commanded), np.array(measured), measured_ns)
