"""What the arm really did: its motion at each physics step of the last minute, and how long it took to come to rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Array

# stamp [ns], lateness [ns], episode, joints, speeds, tcp in the world
COLUMNS: Final = 3 + 6 + 6 + 3
SECONDS: Final = 60
# rows that are read while newer ones are written: whoever reads has this long [s]
_MARGIN_S: Final = 4

Counts = npt.NDArray[np.int64]


class TraceRing:
    """The last minute of steps, written by the physics thread and read by others without a lock.

    Args:
        timestep_ns: Physics step [ns].
    """

    def __init__(self, timestep_ns: int) -> None:
        self._kept = SECONDS * 1_000_000_000 // timestep_ns
        self._rows = np.zeros((self._kept + _MARGIN_S * 1_000_000_000 // timestep_ns, COLUMNS))
        self._count = 0

    def add(self, row: tuple[float, ...]) -> None:
        """Write one row."""
        self._rows[self._count % len(self._rows)] = row
        self._count += 1

    def newest(self) -> list[Array]:
        """The last minute as one or two views of the ring, oldest first, to be read within a few seconds."""
        end = self._count
        begin = max(0, end - self._kept)
        first, last = begin % len(self._rows), end % len(self._rows)
        if end == begin:
            return []
        return [self._rows[first:last]] if first < last else [self._rows[first:], self._rows[:last]]


@dataclass(frozen=True, slots=True)
class Rest:
    """How the arm came to rest.

    Attributes:
        after_s: From the instant asked about to rest [s].
        tool_m: Length of the tool's path in that time [m].
        joints_rad: What each joint moved, signed [rad].
        start_rad_s: Speed of the fastest joint at the beginning [rad/s].
        start_m_s: Speed of the tool at the beginning [m/s].
    """

    after_s: float
    tool_m: float
    joints_rad: tuple[float, ...]
    start_rad_s: float
    start_m_s: float


@dataclass(frozen=True, slots=True, eq=False)
class MotionTrace:
    """Motion of the arm at each physics step; times in which the scene was being changed are left out.

    Attributes:
        stamp_ns: Shape (N,), run clock [ns], ascending.
        lateness_ns: Shape (N,), how long after its instant each step was begun [ns].
        episode: Shape (N,), number of the scene; at a change the arm is somewhere else at once.
        joints_rad: Shape (N, 6) [rad].
        speeds_rad_s: Shape (N, 6) [rad/s].
        tool_m_s: Shape (N,), speed of the tcp [m/s]; 0 in an episode's last row.
    """

    stamp_ns: Counts
    lateness_ns: Counts
    episode: Counts
    joints_rad: Array
    speeds_rad_s: Array
    tool_m_s: Array

    @staticmethod
    def from_rows(rows: Array) -> MotionTrace:
        """Read the ring's rows, shape (N, COLUMNS)."""
        stamp, episode, tcp = rows[:, 0].astype(np.int64), rows[:, 2].astype(np.int64), rows[:, 15:18]
        speed = np.zeros(len(rows))
        if len(rows) > 1:
            # MuJoCo leaves the site of the step's beginning: a row's tcp belongs to the joints of the row before
            taken_s = np.maximum(np.diff(stamp), 1) * 1e-9
            moved = np.linalg.norm(np.diff(tcp, axis=0), axis=1)
            speed[:-1] = moved / taken_s
            speed[-1] = speed[-2]
            speed[np.flatnonzero(np.diff(episode))] = 0.0
        return MotionTrace(stamp, rows[:, 1].astype(np.int64), episode, rows[:, 3:9], rows[:, 9:15], speed)

    def lateness_us(self) -> tuple[float, float, float, float]:
        """How late the steps were: median, 99th and 99.9th percentile, worst [us]; NaN without steps."""
        if not len(self.lateness_ns):
            return (np.nan,) * 4
        p50, p99, p999, worst = np.percentile(self.lateness_ns * 1e-3, [50.0, 99.0, 99.9, 100.0]).tolist()
        return p50, p99, p999, worst

    def to_rest(self, from_ns: int, below_rad_s: float = 0.01) -> Rest:
        """How long and how far the arm still moved after an instant.

        Args:
            from_ns: The instant, for example of a kill [ns, run clock].
            below_rad_s: Rest is when all joints stay slower than this to the end of the trace [rad/s].

        Raises:
            BadInput: If the instant is not in the trace, or the arm still moves at its end.
        """
        if not (len(self.stamp_ns) and self.stamp_ns[0] <= from_ns <= self.stamp_ns[-1]):
            raise BadInput(f"instant {from_ns} ns is not in the trace of {len(self.stamp_ns)} steps: ask sooner")
        begin = int(np.searchsorted(self.stamp_ns, from_ns))
        fast = np.abs(self.speeds_rad_s[begin:]).max(axis=1) >= below_rad_s
        if fast[-1]:
            raise BadInput("the arm still moves at the end of the trace: ask later")
        end = begin + (int(np.flatnonzero(fast)[-1]) + 1 if fast.any() else 0)
        steps_s = np.diff(self.stamp_ns[begin : end + 1]) * 1e-9
        moved = self.joints_rad[end] - self.joints_rad[begin]
        return Rest(
            after_s=float(self.stamp_ns[end] - from_ns) * 1e-9 if end > begin else 0.0,
            tool_m=float((self.tool_m_s[begin + 1 : end + 1] * steps_s).sum()),
            joints_rad=tuple(moved.tolist()),
            start_rad_s=float(np.abs(self.speeds_rad_s[begin]).max()),
            start_m_s=float(self.tool_m_s[begin]),
        )

    def save(self, path: Path) -> None:
        """Write a `.npz` with one array per attribute, or a `.csv` with one line per step.

        Raises:
            BadInput: If the name ends with neither.
        """
        columns: dict[str, Any] = {
            "stamp_ns": self.stamp_ns,
            "lateness_ns": self.lateness_ns,
            "episode": self.episode,
            "joints_rad": self.joints_rad,
            "speeds_rad_s": self.speeds_rad_s,
            "tool_m_s": self.tool_m_s,
        }
        if path.suffix == ".npz":
            np.savez_compressed(path, **columns)
        elif path.suffix == ".csv":
            names = [
                f"{name}_{axis}" if column.ndim == 2 else name
                for name, column in columns.items()
                for axis in range(column.shape[1] if column.ndim == 2 else 1)
            ]
            table = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns.values()])
            np.savetxt(path, table, fmt=["%d"] * 3 + ["%.9g"] * 13, delimiter=",",
                       header=",".join(names), comments="")  # fmt: skip
        else:
            raise BadInput(f"trace {path}: expected a name that ends with .npz or .csv")
