"""The last minute of the arm, for measurements."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geometry.types import Array, IntArray

_LENGTH = 30_000


class Trace:
    """A ring of times, joint positions and velocities, one row per cycle: the last 60 s."""

    def __init__(self) -> None:
        self._times: IntArray = np.zeros(_LENGTH, dtype=np.int64)
        self._joints: Array = np.zeros((_LENGTH, 12))
        self._count = 0

    def add(self, t_ns: int, joints_rad: Array, velocity_rad_s: Array) -> None:
        """Add one cycle."""
        row = self._count % _LENGTH
        self._times[row] = t_ns
        self._joints[row, :6] = joints_rad
        self._joints[row, 6:] = velocity_rad_s
        self._count += 1

    def rows(self) -> tuple[IntArray, Array, Array]:
        """Copies, oldest first: times, shape (N,) [ns of time.monotonic_ns]; positions and velocities, shape (N, 6)."""
        count = self._count
        order = np.arange(max(0, count - _LENGTH), count) % _LENGTH
        return self._times[order], self._joints[order, :6], self._joints[order, 6:]

    def write(self, path: Path) -> None:
        """Write the rows as npz with `t_ns`, `q` and `qd`."""
        times, positions, velocities = self.rows()
        with path.open("wb") as file:
            np.savez(file, t_ns=times, q=positions, qd=velocities)
