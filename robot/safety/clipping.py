"""The nearest motion of one joint that its limits allow, with a stop that stays inside its range ever after."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from robot.safety.stopping import (
    Strength,
    furthest,
    largest_change,
    quickest_stop,
    stopping_change,
)
from robot.verdict import InterventionKind

# a deviation this small is rounding, not a wish [rad]
ROUNDING: Final = 1e-12
_ROUNDS: Final = 12


@dataclass(frozen=True, slots=True)
class Range:
    """Where a joint may be [rad]; one that is outside may come back.

    Attributes:
        low: Lower end [rad].
        high: Upper end [rad].
        longest_stop: No stop of the joint is longer [rad].
    """

    low: float
    high: float
    longest_stop: float = math.inf

    def is_far(self, at: float) -> bool:
        """Whether no stop reaches an end from here."""
        return self.low + self.longest_stop <= at <= self.high - self.longest_stop

    def holds(self, at: float, way: float) -> bool:
        """Whether both ends are further than a way."""
        return self.low + way <= at <= self.high - way


@dataclass(slots=True)
class Motion:
    """What was sent to one joint last.

    Attributes:
        at: Position [rad].
        step: How far the last tick moved it [rad].
        change: How much that step differed from the one before [rad].
        wanted: What the last command asked for, inside the range [rad]; it differs from `at` while the joint is behind.
    """

    at: float
    step: float = 0.0
    change: float = 0.0
    wanted: float = 0.0


@dataclass(frozen=True, slots=True)
class Clipped:
    """The next change of a joint.

    Attributes:
        at: Where the joint goes [rad].
        change: How much its step changes [rad].
        goal: What was asked for, inside the range [rad].
        reason: What kept the joint from the goal, with what was asked and what is done, in ticks; None if nothing did.
    """

    at: float
    change: float
    goal: float
    reason: tuple[InterventionKind, float, float] | None


def braked(motion: Motion, strength: Strength) -> float:
    """Return the change of one tick of the quickest stop [rad]."""
    stop = quickest_stop(motion.step, motion.change, strength)
    return stopping_change(motion.change, stop, strength)


def clip(motion: Motion, asked: float, follows: bool, strength: Strength, ends: Range) -> Clipped:
    """Find the change that is nearest to what is asked and keeps every limit, now and while stopping from it.

    Args:
        motion: What was sent last.
        asked: Where the joint should be at the end of the tick [rad].
        follows: Whether `asked` goes on from `motion.wanted`: a joint that is behind then catches up without swinging
            past. Otherwise it goes on from where the joint is.
        strength: What the joint can do.
        ends: Its range.
    """
    at, step, change = motion.at, motion.step, motion.change
    low, high = min(ends.low, at), max(ends.high, at)
    goal = min(max(asked, low), high)
    direct = (goal - at) - step
    least, most = _bounds(step, change, strength)
    behind = motion.wanted - at if follows else 0.0
    desired = direct
    if abs(behind) > ROUNDING:
        desired = _catch_up(motion, goal, goal - motion.wanted, direct, (least, most), strength)
    taken = desired
    if not least - ROUNDING <= desired <= most + ROUNDING:
        taken = min(max(desired, least), most)
    moved = step + taken
    limited = False
    if not ends.is_far(at + moved) and not ends.holds(at + moved, furthest(moved, taken, strength)):

        def beyond(candidate: float) -> float:
            place = at + step + candidate
            stop = quickest_stop(step + candidate, candidate, strength)
            return max(
                place + stop.highest - max(ends.high + ROUNDING, at), min(ends.low - ROUNDING, at) - place - stop.lowest
            )

        if beyond(taken) > 0.0:
            limited = True
            taken = _nearest(beyond, braked(motion, strength), taken)
    if taken == direct:
        return Clipped(goal, taken, goal, None)
    arrived = at + (step + taken)
    if abs(arrived - goal) <= ROUNDING:
        return Clipped(goal, (goal - at) - step, goal, None)
    return Clipped(arrived, taken, goal, _reason(motion, goal, taken, strength, limited, ends))


def _bounds(step: float, change: float, strength: Strength) -> tuple[float, float]:
    """Least and greatest change that keep jerk, acceleration and speed, now and when it is brought to 0."""
    longest, most, jerk = strength
    low, high = max(change - jerk, -most), min(change + jerk, most)
    upper = min(high, largest_change(longest - step, jerk))
    lower = max(low, -largest_change(longest + step, jerk))
    # one tick of bringing the change to 0 is always allowed; rounding must not take it away
    return min(lower, high), max(upper, low)


def _catch_up(
    motion: Motion, goal: float, pace: float, direct: float, bounds: tuple[float, float], strength: Strength
) -> float:
    """Change that brings the joint to a goal that moves on by `pace` per tick, without swinging past it."""
    pace = min(max(pace, -strength.step), strength.step)
    gap = motion.at + motion.step - goal

    def past(candidate: float) -> float:
        return gap + candidate + quickest_stop(motion.step + candidate - pace, candidate, strength).end

    least, most = bounds
    if least <= direct <= most and abs(past(direct)) <= ROUNDING:
        return direct
    if past(most) <= 0.0:
        return most
    if past(least) >= 0.0:
        return least
    return _nearest(past, least, most)


def _nearest(excess: Callable[[float], float], safe: float, wish: float) -> float:
    """Return the value nearest to `wish` found on the safe side of the place where `excess` crosses 0.

    Regula falsi with Illinois weights; `safe` is taken to be safe, whatever `excess` says by rounding.
    """
    inside, outside = safe, wish
    below, above = excess(inside), excess(outside)
    if below >= 0.0:
        return safe
    side = 0
    for _ in range(_ROUNDS):
        if above - below <= 0.0 or -below <= 1e-15:
            break
        middle = inside + (outside - inside) * (-below / (above - below))
        value = excess(middle)
        if value <= 0.0:
            if value == 0.0 or middle == inside:
                return middle
            inside, below = middle, value
            if side < 0:
                above *= 0.5
            side = -1
        else:
            outside, above = middle, value
            if side > 0:
                below *= 0.5
            side = 1
    return inside


def _reason(
    motion: Motion, goal: float, taken: float, strength: Strength, limited: bool, ends: Range
) -> tuple[InterventionKind, float, float]:
    """What the joint could not do: what was asked against what is done, in ticks."""
    step = goal - motion.at
    change = step - motion.step
    if abs(step) > strength.step + ROUNDING:
        return "velocity", step, motion.step + taken
    if abs(change) > strength.change + ROUNDING:
        return "acceleration", change, taken
    if abs(change - motion.change) > strength.jerk + ROUNDING:
        return "jerk", change - motion.change, taken - motion.change
    if limited:
        stop = quickest_stop(step, change, strength)
        if goal + stop.highest > ends.high:
            return "position", goal + stop.highest, ends.high
        return "position", goal + stop.lowest, ends.low
    if taken != change and abs(motion.step + taken) < abs(step):
        return "velocity", step, motion.step + taken
    return "jerk", change - motion.change, taken - motion.change
