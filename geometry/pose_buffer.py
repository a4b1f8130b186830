"""Poses by time: what was the pose when the shutter was open?"""

from __future__ import annotations

import threading

from .pose import Pose


class PoseUnavailable(LookupError):
    """The buffer cannot answer for this stamp; the message names the stamp, the range held and the limit."""


class PoseBuffer:
    """The latest poses of one frame in another, indexed by time.

    Between two samples the rotation is a slerp and the translation a lerp. Behind the newest sample the constant
    velocity of the last two samples goes on for at most ``max_extrapolation_ns``. In front of the oldest sample there
    is no answer.

    Storage is a ring of fixed size, a push and a query allocate nothing that grows, and a query is a binary search.
    One thread pushes; any thread may query. A lock keeps the two samples of a query from being overwritten while they
    are read; it is held for a few microseconds at most, and never while the interpolation runs.

    Args:
        capacity: Samples held; the oldest is overwritten.
        max_extrapolation_ns: How far beyond the newest sample ``at`` may answer [ns]; 0 for interpolation only.

    Raises:
        ValueError: If the capacity is less than 2 or the limit is negative.

    Example:
        >>> buffer = PoseBuffer(capacity=8)
        >>> buffer.push(0, Pose.identity())
        >>> buffer.push(1000, Pose.from_rotvec([0.0, 0.0, 0.0], [1.0, 0.0, 0.0]))
        >>> buffer.at(250).translation.tolist()
        [0.25, 0.0, 0.0]
    """

    def __init__(self, capacity: int = 1024, max_extrapolation_ns: int = 0) -> None:
        if capacity < 2:
            raise ValueError(f"pose buffer capacity {capacity}: expected at least 2; interpolation needs two samples")
        if max_extrapolation_ns < 0:
            raise ValueError(f"max_extrapolation_ns {max_extrapolation_ns}: expected >= 0; 0 turns extrapolation off")
        self._capacity = int(capacity)
        self._max_extrapolation_ns = int(max_extrapolation_ns)
        self._stamps = [0] * self._capacity
        self._poses = [Pose.identity()] * self._capacity
        self._pushed = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return min(self._pushed, self._capacity)

    def push(self, stamp_ns: int, pose: Pose) -> None:
        """Append a sample.

        Args:
            stamp_ns: Time at which the pose was true [ns], later than all before it.
            pose: The pose.

        Raises:
            ValueError: If the stamp is not later than the newest one.
        """
        stamp = int(stamp_ns)
        with self._lock:
            if self._pushed:
                newest = self._stamps[(self._pushed - 1) % self._capacity]
                if stamp <= newest:
                    raise ValueError(
                        f"pose stamp {stamp} ns is not later than the newest, {newest} ns: "
                        "drop repeated samples, or clear() the buffer when the clock starts again"
                    )
            slot = self._pushed % self._capacity
            self._stamps[slot] = stamp
            self._poses[slot] = pose
            self._pushed += 1

    def at(self, stamp_ns: int) -> Pose:
        """Pose at a time.

        Args:
            stamp_ns: The time [ns].

        Returns:
            The sample itself where the stamp is that of a sample, else the interpolated or extrapolated pose.

        Raises:
            PoseUnavailable: If the stamp is outside what the buffer can answer for.
        """
        stamp = int(stamp_ns)
        with self._lock:
            before, pose_before, after, pose_after = self._bracket(stamp)
        if stamp == before:
            return pose_before
        return pose_before.interpolate(pose_after, (stamp - before) / (after - before))

    def clear(self) -> None:
        """Forget all samples; the next push may have any stamp."""
        with self._lock:
            self._pushed = 0

    def _bracket(self, stamp: int) -> tuple[int, Pose, int, Pose]:
        """The samples at or before and after a stamp, or the last two when it is beyond them; the lock is held."""
        first, count = max(0, self._pushed - self._capacity), self._pushed
        if not count:
            raise PoseUnavailable(f"pose at {stamp} ns: the buffer is empty; wait for the first robot state")
        oldest, newest = self._stamps[first % self._capacity], self._stamps[(count - 1) % self._capacity]
        held = f"poses are held for [{oldest}, {newest}] ns"
        if stamp < oldest:
            raise PoseUnavailable(
                f"pose at {stamp} ns: {held}, {oldest - stamp} ns too old; raise the capacity of {self._capacity}, "
                "or check that both stamps are on the run clock"
            )
        if stamp > newest + self._max_extrapolation_ns:
            raise PoseUnavailable(
                f"pose at {stamp} ns: {held}, {stamp - newest} ns ahead of the newest and the extrapolation limit is "
                f"{self._max_extrapolation_ns} ns; wait for a newer robot state"
            )
        if stamp > newest and count - first == 1:
            raise PoseUnavailable(f"pose at {stamp} ns: {held}; extrapolation needs two samples")
        low, high = first, count - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self._stamps[middle % self._capacity] <= stamp:
                low = middle
            else:
                high = middle - 1
        if low == count - 1 and stamp > newest:
            low -= 1
        i, j = low % self._capacity, min(low + 1, count - 1) % self._capacity
        return self._stamps[i], self._poses[i], self._stamps[j], self._poses[j]
