"""Cartesian motion as a line of timed legs, each a quintic that comes to rest at its goal.

A goal may move with a constant velocity, as an object on a conveyor does. Its leg is planned in the frame that moves
with it: there the goal is at rest, and coming to rest there is meeting it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np

from geometry.types import Array

# peak speed and acceleration of a minimum-jerk motion over distance d in time T: 15/8 d/T and 10/sqrt(3) d/T^2
_PEAK_SPEED = 1.875
_PEAK_ACCELERATION = 10.0 / math.sqrt(3.0)
_SHORTEST_S = 0.2
_PROBE = np.linspace(0.0, 1.0, 17)[:, None]
_TRIAL_S = tuple(float(t) for t in _SHORTEST_S * 1.1 ** np.arange(42))
# a start that moves at the limit exceeds it by rounding
_FULL = 1.001


class Phase(Enum):
    """What a leg is for."""

    SEARCH = "search"
    APPROACH = "approach"
    DESCEND = "descend"
    CLOSE = "close"
    LIFT = "lift"
    CARRY = "carry"
    LOWER = "lower"
    OPEN = "open"
    RETREAT = "retreat"
    DONE = "done"


class Step(NamedTuple):
    """One thing to do: move to a goal in a straight line from wherever the step before ended, and wait there.

    All of that is meant in the goal's own frame, should it move.

    Attributes:
        phase: What it is for.
        goal: x, y, z of the tool point in the base [m], at `stamp_ns`.
        speed: Highest speed of the tool point against the goal [m/s].
        gripper: Opening that is commanded from the start of the step: 0 = closed, 1 = open.
        wait_s: Time at rest at the goal [s].
        velocity: Of the goal, x, y, z in the base [m/s].
        stamp_ns: When a goal that moves is at `goal` [ns].
    """

    phase: Phase
    goal: tuple[float, float, float]
    speed: float
    gripper: float
    wait_s: float
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    stamp_ns: int = 0

    def goal_at(self, t_ns: int) -> Array:
        """Where the goal is at a time, shape (3,) [m]."""
        return np.array(self.goal) + np.array(self.velocity) * ((t_ns - self.stamp_ns) * 1e-9)


class Point(NamedTuple):
    """The plan at one instant: position [m], velocity [m/s] and acceleration [m/s^2] of shape (3,), and its step."""

    position: Array
    velocity: Array
    acceleration: Array
    step: Step


@dataclass(frozen=True, slots=True, eq=False)
class Leg:
    """A step with its place in time: a quintic of `move_s`, then rest, from `start_ns` to `end_ns`.

    Attributes:
        step: What it carries out.
        start_ns: When it starts [ns].
        end_ns: When the next leg takes over [ns].
        move_s: How long it moves [s].
        coefficients: Shape (6, 3), position = sum of row k times t^k, t in seconds since the start; in the frame that
            moves with the goal and is at the base's origin at the start.
    """

    step: Step
    start_ns: int
    end_ns: int
    move_s: float
    coefficients: Array

    def at(self, t_ns: int) -> Point:
        """The plan at a time; before the start it is the start, after the motion it is the goal."""
        t = max(0, t_ns - self.start_ns) * 1e-9
        drift = np.array(self.step.velocity)
        if t >= self.move_s:
            return Point(self.step.goal_at(t_ns), drift, np.zeros(3), self.step)
        c = self.coefficients
        powers = t ** np.arange(6)
        velocity = (np.arange(1, 6) * powers[:5]) @ c[1:]
        acceleration = (np.array((2.0, 6.0, 12.0, 20.0)) * powers[:4]) @ c[2:]
        return Point(powers @ c + drift * t, velocity + drift, acceleration, self.step)


class Timeline:
    """Legs one after the other; after the last one the tool rests at its goal."""

    def __init__(self, legs: Sequence[Leg]) -> None:
        self._legs = tuple(legs)

    @staticmethod
    def start(position: Array, at_ns: int, steps: Sequence[Step], acceleration: float) -> Timeline:
        """Carry out steps from rest.

        Args:
            position: Shape (3,), where the tool is [m].
            at_ns: When the first step starts [ns].
            steps: At least one.
            acceleration: Highest acceleration of the tool point [m/s^2].
        """
        rest = Point(np.array(position), np.zeros(3), np.zeros(3), steps[0])
        return Timeline(_legs(rest, at_ns, steps, acceleration))

    @property
    def end_ns(self) -> int:
        """When the last leg ends [ns]."""
        return self._legs[-1].end_ns

    def leg(self, t_ns: int) -> Leg:
        """The leg that is carried out at a time."""
        for leg in self._legs:
            if t_ns < leg.end_ns:
                return leg
        return self._legs[-1]

    def at(self, t_ns: int) -> Point:
        """The plan at a time."""
        return self.leg(t_ns).at(t_ns)

    def end_of(self, phase: Phase) -> int:
        """When the last leg of a phase ends [ns]; the end of the plan if it has none."""
        return max((leg.end_ns for leg in self._legs if leg.step.phase is phase), default=self.end_ns)

    def steps_from(self, t_ns: int) -> tuple[Step, ...]:
        """The step that is carried out at a time and all after it."""
        first = self.leg(t_ns)
        return tuple(leg.step for leg in self._legs if leg.start_ns >= first.start_ns)

    def branch(self, at_ns: int, steps: Sequence[Step], acceleration: float, drop_before_ns: int) -> Timeline:
        """Keep the plan up to a time and carry out other steps from there on.

        Position, velocity and acceleration are continuous at `at_ns`.

        Args:
            at_ns: When the new steps take over [ns].
            steps: At least one.
            acceleration: Highest acceleration of the tool point [m/s^2].
            drop_before_ns: Legs that ended before this are forgotten [ns].
        """
        kept = [
            Leg(leg.step, leg.start_ns, min(leg.end_ns, at_ns), leg.move_s, leg.coefficients)
            for leg in self._legs
            if leg.start_ns < at_ns and leg.end_ns >= drop_before_ns
        ]
        if kept and kept[-1].end_ns < at_ns:
            # the plan had ended: its last leg goes on resting until the new steps start
            last = kept[-1]
            kept[-1] = Leg(last.step, last.start_ns, at_ns, last.move_s, last.coefficients)
        return Timeline((*kept, *_legs(self.at(at_ns), at_ns, steps, acceleration)))


def _legs(point: Point, at_ns: int, steps: Sequence[Step], acceleration: float) -> list[Leg]:
    legs = []
    for step in steps:
        move_s, coefficients = _quintic(point, at_ns, step, acceleration)
        end_ns = at_ns + round((move_s + step.wait_s) * 1e9)
        legs.append(Leg(step, at_ns, end_ns, move_s, coefficients))
        at_ns = end_ns
        point = Point(step.goal_at(end_ns), np.array(step.velocity), np.zeros(3), step)
    return legs


def _quintic(point: Point, at_ns: int, step: Step, acceleration: float) -> tuple[float, Array]:
    """Shortest quintic from a moving start to rest at the goal within the speed and the acceleration."""
    goal = step.goal_at(at_ns)
    point = point._replace(velocity=point.velocity - np.array(step.velocity))
    distance = math.dist(goal, point.position)
    if not point.velocity.any() and not point.acceleration.any():
        if distance < 1e-9:
            return 0.0, _coefficients(point, goal, _SHORTEST_S)
        slow = _PEAK_SPEED * distance / step.speed
        move_s = max(slow, math.sqrt(_PEAK_ACCELERATION * distance / acceleration), _SHORTEST_S)
        return move_s, _coefficients(point, goal, move_s)
    # a moving start may exceed the new step's limits, or be about to: then the least excess is taken
    best, least = (_SHORTEST_S, _coefficients(point, goal, _SHORTEST_S)), math.inf
    for move_s in _TRIAL_S:
        coefficients = _coefficients(point, goal, move_s)
        powers = (_PROBE * move_s) ** np.arange(5)
        velocity = (np.arange(1, 6) * powers) @ coefficients[1:]
        change = (np.array((2.0, 6.0, 12.0, 20.0)) * powers[:, :4]) @ coefficients[2:]
        speed, strength = math.sqrt((velocity**2).sum(1).max()), math.sqrt((change**2).sum(1).max())
        excess = max(speed / step.speed, strength / acceleration)
        if excess < least:
            best, least = (move_s, coefficients), excess
        if excess <= _FULL:
            break
    return best


def _coefficients(point: Point, goal: Array, move_s: float) -> Array:
    """Quintic from (position, velocity, acceleration) to rest at the goal, shape (6, 3)."""
    t = move_s
    p, v, a = point.position, point.velocity, point.acceleration
    shift, slow, ease = goal - p - v * t - 0.5 * a * t * t, -v - a * t, -a
    return np.array(
        (
            p,
            v,
            0.5 * a,
            (10.0 * shift - 4.0 * slow * t + 0.5 * ease * t * t) / t**3,
            (-15.0 * shift + 7.0 * slow * t - ease * t * t) / t**4,
            (6.0 * shift - 3.0 * slow * t + 0.5 * ease * t * t) / t**5,
        )
    )


def minimum_jerk(u: float) -> float:
    """Share of a way that is done at the part u of its time, at rest at both ends (Flash and Hogan, 1985)."""
    u = min(1.0, max(0.0, u))
    return u**3 * (10.0 - 15.0 * u + 6.0 * u * u)
