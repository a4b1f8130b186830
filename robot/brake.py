"""Discrete braking of one joint: which speeds can still stop in time, when speed changes once per tick."""

from __future__ import annotations

import math


def fastest_towards(distance: float, per_tick: float, dt: float) -> float:
    """Return a speed that can be held for one tick and then braked away before `distance` is used up.

    With the speed v held for one tick and lowered by w every tick after, the distance is dt (v + (v - w) + ...), which
    is never more than dt (v + w/2)^2 / (2 w).

    Args:
        distance: What is left [rad]; below 0 counts as 0.
        per_tick: w, how much the speed can change in one tick [rad/s].
        dt: Length of a tick [s].
    """
    if distance <= 0.0:
        return 0.0
    one_tick = distance / dt
    return max(math.sqrt(2.0 * per_tick * one_tick) - 0.5 * per_tick, min(one_tick, per_tick))


def ticks_to_stop(velocity: float, per_tick: float) -> int:
    """Return in how many of the next ticks a joint still moves when each of them lowers its speed."""
    return math.floor(abs(velocity) / per_tick)


def braking_distance(velocity: float, per_tick: float, dt: float, ticks: int) -> float:
    """Return how far a joint goes in the next ticks, signed, when each of them lowers its speed [rad].

    Args:
        velocity: Speed that was sent last [rad/s].
        per_tick: How much each tick lowers it [rad/s].
        dt: Length of a tick [s].
        ticks: How many ticks; those after the joint has stopped count for nothing.
    """
    speed = abs(velocity)
    ticks = min(ticks, ticks_to_stop(velocity, per_tick))
    return math.copysign(dt * (ticks * speed - 0.5 * per_tick * ticks * (ticks + 1)), velocity)


def braked(velocity: float, per_tick: float) -> float:
    """Return the speed one tick of braking later."""
    return math.copysign(max(abs(velocity) - per_tick, 0.0), velocity)
