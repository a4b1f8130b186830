"""How long a register takes to a controller and back in one of its states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deploy.errors import Missing
from robot.ur.session import Session

# After this time a register counts as lost [s].
_LOST_S = 1.0


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """How long a register takes to the controller and back in a state.

    Attributes:
        count: How many came back.
        lost: How many did not within a second.
        least_ns: The fastest [ns].
        p50_ns: Median [ns].
        p99_ns: 99th percentile [ns].
    """

    count: int
    lost: int
    least_ns: int
    p50_ns: int
    p99_ns: int


def measure_round_trip(session: Session, count: int) -> RoundTrip:
    """Write a register that nobody uses and wait for it, `count` times.

    Raises:
        Missing: If nothing came back.
    """
    taken = [session.round_trip_ns(_LOST_S) for _ in range(count)]
    came = [trip for trip in taken if trip is not None]
    if not came:
        raise Missing("registers do not come back in the controller's states: see that nobody else writes them")
    p50, p99 = np.percentile(came, (50, 99))
    return RoundTrip(len(came), count - len(came), min(came), round(p50), round(p99))
