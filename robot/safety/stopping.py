"""Stopping one joint with limited jerk, exactly in discrete time.

A joint is commanded once per tick. Its motion is counted in ticks: `step` is how far the last command moved it [rad],
`change` is how much that step differed from the one before [rad]. With a tick of dt, step = velocity dt, change =
acceleration dt^2, and a change may itself differ from the one before by no more than jerk dt^3. So the limits hold for
the numbers that are sent, not for a curve that they are thought to sample.

The stop is the quickest one: its changes are c_i = max(c - i h, -A, -(K - i) h) for i < K and 0 after: the acceleration
falls by h per tick, stays at -A, rises again, and K, a real number, is chosen so that the steps end at 0. One tick
further on the same rule gives the rest of the same stop, so what was checked once stays true while the joint stops.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from geometry.types import Array

# steps smaller than this are rounding [rad]
STILL: Final = 1e-15
_ROUNDS: Final = 60


class Strength(NamedTuple):
    """What one joint can do, counted in ticks.

    Attributes:
        step: Longest step: velocity dt [rad].
        change: Largest change of the step: acceleration dt^2 [rad].
        jerk: Largest difference between two changes: jerk dt^3 [rad].
    """

    step: float
    change: float
    jerk: float


class Stop(NamedTuple):
    """The quickest stop of one joint.

    Attributes:
        sign: 1 if it ends by slowing down a forward motion, -1 for a backward one.
        ticks: K of the module's text: after so many ticks the joint is at rest.
        highest: Furthest place forward on the way, from where the joint is [rad]; at least 0.
        lowest: Furthest place backward on the way [rad]; at most 0.
        end: Where it comes to rest [rad].
    """

    sign: int
    ticks: float
    highest: float
    lowest: float
    end: float


AT_REST: Final = Stop(1, 0.0, 0.0, 0.0, 0.0)


def ramped_out(change: float, jerk: float) -> float:
    """Return how much the step still grows while a change is brought to 0, `jerk` per tick [rad], signed."""
    size = abs(change)
    ticks = int(size / jerk)
    return math.copysign(ticks * size - 0.5 * jerk * ticks * (ticks + 1), change)


def largest_change(room: float, jerk: float) -> float:
    """Return the change that, taken now and then brought to 0, makes the step grow by `room` [rad]; 0 below 0.

    The inverse of change + ramped_out(change).
    """
    if room <= 0.0:
        return 0.0
    ticks = max(0, math.ceil(0.5 * (math.sqrt(1.0 + 8.0 * room / jerk) - 3.0)))
    return (room + 0.5 * jerk * ticks * (ticks + 1)) / (ticks + 1)


def quickest_stop(step: float, change: float, strength: Strength) -> Stop:
    """Find the quickest stop from the present motion.

    Args:
        step: Last step [rad].
        change: Last change [rad], at most `strength.change` in size.
        strength: What the joint can do.
    """
    if abs(step) <= STILL and abs(change) <= STILL:
        return AT_REST
    _, most, jerk = strength
    left = step + ramped_out(change, jerk)
    sign = 1 if left >= 0.0 else -1
    u, c, left = sign * step, sign * change, abs(left)
    ticks = abs(c) / jerk
    if left <= STILL:
        moments = _sums(ticks, c, most, jerk)
    else:
        # from the continuous stop, then Newton on a function that falls and is made of straight pieces
        peak = math.sqrt(jerk * u + 0.5 * c * c) if jerk * u + 0.5 * c * c > 0.0 else 0.0
        low, high = ticks, math.inf
        if peak <= most:
            ticks = max(low, (c + 2.0 * peak) / jerk)
        else:
            ticks = max(low, (c + 2.0 * most) / jerk + (u + (0.5 * c * c - most * most) / jerk) / most)
        for _ in range(_ROUNDS):
            moments = _sums(ticks, c, most, jerk)
            beyond = u + moments[0]
            if abs(beyond) <= STILL:
                break
            if beyond > 0.0:
                low = max(low, ticks)
            else:
                high = min(high, ticks)
            if moments[2] > 0:
                following = ticks + beyond / (jerk * moments[2])
            else:
                # a level piece: go on where the next one begins
                following = math.floor(ticks) + (1.0 if beyond > 0.0 else most / jerk)
            straight = moments[2] > 0 and low < following < high
            if not low < following < high:
                following = 0.5 * (low + high) if high < math.inf else low + 1.0
            if following == ticks:
                break
            if straight and _same_piece(ticks, following, c, most, jerk):
                moments = (0.0, moments[1] - jerk * (following - ticks) * moments[3], moments[2], 0.0)
                ticks = following
                break
            ticks = following
    end = -u - moments[1]
    back = 0.0
    if u < 0.0:
        # on its way back first: the change is brought to 0 while the step turns over
        now, rate = c - jerk, u + c - jerk
        while rate < 0.0 < now + jerk:
            back += rate
            now -= jerk
            rate += now
    low_end, high_end = min(back, end, 0.0), max(end, 0.0)
    if sign > 0:
        return Stop(1, ticks, high_end, low_end, end)
    return Stop(-1, ticks, -low_end, -high_end, -end)


def furthest(step: float, change: float, strength: Strength) -> float:
    """Return a distance that the quickest stop does not leave, either way [rad]: a cheap bound, never too small.

    A step that falls to 0 with its changes falling and rising alike covers half of what it would without falling.
    """
    size = abs(step) + abs(ramped_out(change, strength.jerk))
    if size <= STILL:
        return 0.0
    peak = min(math.sqrt(size * strength.jerk), strength.change)
    slowing = size / peak + peak / strength.jerk
    return size * (abs(change) / strength.jerk + 0.5 * slowing + 3.0)


def stopping_change(change: float, stop: Stop, strength: Strength, tick: int = 1) -> float:
    """Return the change of one of the next ticks of a stop [rad]; `change` is the one before the stop."""
    c = max(stop.sign * change - tick * strength.jerk, -strength.change, -max(stop.ticks - tick, 0.0) * strength.jerk)
    return stop.sign * c


def stopping_path(
    joints: list[float], steps: list[float], changes: list[float], stops: list[Stop], most: Array, jerk: Array
) -> Array:
    """Return where the joints are at every tick of their stops, one stop beside the other.

    Args:
        joints: Where they are [rad].
        steps: Their last steps [rad].
        changes: Their last changes [rad].
        stops: Their stops.
        most: Their largest changes, `Strength.change` [rad].
        jerk: Their largest differences of changes, `Strength.jerk` [rad].

    Returns:
        Shape (ticks + 1, joints) [rad], from where they are to where all of them rest.
    """
    count = math.ceil(max([stop.ticks for stop in stops]))
    path = np.empty((count + 1, len(joints)))
    path[0] = joints
    if count == 0:
        return path
    sign = np.array([float(stop.sign) for stop in stops])
    tick = np.arange(1.0, count + 1.0)[:, None]
    changed = tick * -jerk
    changed += sign * np.array(changes)
    np.maximum(changed, -most, out=changed)
    rising = tick - np.array([stop.ticks for stop in stops])
    np.minimum(rising, 0.0, out=rising)
    rising *= jerk
    np.maximum(changed, rising, out=changed)
    changed *= sign
    changed[0] += steps
    np.cumsum(changed, axis=0, out=changed)
    changed[0] += joints
    np.cumsum(changed, axis=0, out=path[1:])
    return path


def _same_piece(one: float, two: float, c: float, most: float, jerk: float) -> bool:
    """Whether the same ticks fall, are level and rise, so that the sums are straight lines in between."""
    return (
        math.floor(one) == math.floor(two)
        and math.floor(0.5 * (one + c / jerk)) == math.floor(0.5 * (two + c / jerk))
        and math.ceil(one - most / jerk) == math.ceil(two - most / jerk)
    )


def _sums(ticks: float, c: float, most: float, jerk: float) -> tuple[float, float, int, float]:
    """Sum of the changes of a stop, sum of each times its tick, how many move with `ticks`, and the sum of those."""
    falling = math.floor(min((c + most) / jerk, 0.5 * (ticks + c / jerk)))
    last = math.floor(ticks)
    first = max(falling + 1, math.ceil(ticks - most / jerk))
    flat, rising = first - 1 - falling, last - first + 1
    total = falling * c - 0.5 * jerk * falling * (falling + 1)
    moment = 0.5 * c * falling * (falling + 1) - jerk * falling * (falling + 1) * (2 * falling + 1) / 6.0
    if flat > 0:
        total -= most * flat
        moment -= 0.5 * most * flat * (falling + first)
    places = 0.0
    if rising > 0:
        places = 0.5 * (first + last) * rising
        squares = (last * (last + 1) * (2 * last + 1) - (first - 1) * first * (2 * first - 1)) / 6.0
        total -= jerk * (rising * ticks - places)
        moment -= jerk * (ticks * places - squares)
    return total, moment, max(rising, 0), places
