"""What a policy is shown: the arm, and the object that the task is about at the time that matters to a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from geometry.types import Array
from launch.codec import RecordedTracks
from policy.observation import Observation
from robot.arm import RobotState
from robot.kinematics import Kinematics
from tracking import Tracks, TrackState

# a velocity is believed when it is this many standard deviations from rest, and fast enough to matter
SIGNIFICANT_SIGMA: Final = 4.0
SLOWEST_M_S: Final = 0.01
# not sooner than this [s]: the first looks may be of an object half in the picture, whose place jumps when all of it is
WATCHED_S: Final = 0.4
# and no longer than this after the last look [s]: what the tracker makes of it then is a guess already
FORESEEN_S: Final = 0.5
# what the fingers hold is no further from the point between their tips, and they are not as open as this
REACH_M: Final = 0.06
OPEN: Final = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class SeenObject:
    """The object in the base.

    Attributes:
        position_m: Shape (3,) [m], `ahead_ns` beyond the tracks' instant; NaN while it is not seen.
        covariance_m2: Shape (3, 3) [m^2].
        velocity_m_s: Shape (3,) [m/s]; 0 unless it differs from rest for certain.
        velocity_covariance: Shape (3, 3) [m^2/s^2].
        age_s: Time since it was last seen [s]; infinite if never.
        ahead_ns: How far its position was predicted [ns].
    """

    position_m: Array
    covariance_m2: Array
    velocity_m_s: Array
    velocity_covariance: Array
    age_s: float
    ahead_ns: int


def seen_object(tracks: Tracks | RecordedTracks, object_class: str, ahead_ns: int = 0) -> SeenObject:
    """Find the object, and predict it by its velocity.

    Of several tracks of the class the one seen last counts; of those the most certain, then the oldest identity. An
    object whose velocity cannot be told from rest stays where it is: predicting it by noise would only add noise. So
    does one that was seen for the first time just now, or that has not been seen for a while.

    Args:
        tracks: All live tracks.
        object_class: Name of its class.
        ahead_ns: How far to predict [ns].
    """
    rows = np.zeros(0, dtype=np.int64)
    if object_class in tracks.class_names:
        wanted = tracks.class_ids == tracks.class_names.index(object_class)
        rows = np.flatnonzero(wanted & (tracks.state != TrackState.TENTATIVE))
    if not rows.size:
        return SeenObject(np.full(3, np.nan), np.full((3, 3), np.nan), np.zeros(3), np.zeros((3, 3)), float("inf"), 0)
    row = rows[np.lexsort((tracks.ids[rows], -tracks.scores[rows], -tracks.last_seen_ns[rows]))[0]]
    position, covariance = np.array(tracks.position[row]), np.array(tracks.covariance[row])
    velocity, spread = np.array(tracks.velocity[row]), covariance[3:, 3:]
    age_s = (tracks.stamp_ns - int(tracks.last_seen_ns[row])) * 1e-9
    if age_s > FORESEEN_S or tracks.age_s[row] < WATCHED_S or not _moves(velocity, spread):
        return SeenObject(position, covariance[:3, :3], np.zeros(3), spread, age_s, ahead_ns)
    ahead_s = ahead_ns * 1e-9
    # of a constant velocity: F P F^T with F = [[1, t], [0, 1]]
    cross = ahead_s * covariance[:3, 3:]
    predicted = covariance[:3, :3] + cross + cross.T + ahead_s**2 * spread
    return SeenObject(position + ahead_s * velocity, predicted, velocity, spread, age_s, ahead_ns)


def observe(
    tracks: Tracks | RecordedTracks, state: RobotState, arm: Kinematics, object_class: str, ahead_ns: int
) -> Observation:
    """What a policy is shown: the robot as it was, and the object where it will be, unless the hand holds it.

    Args:
        tracks: All live tracks.
        state: The arm at their instant.
        arm: Its kinematics.
        object_class: Name of the object's class.
        ahead_ns: How far to predict the object [ns].
    """
    base_T_tcp = arm.tcp(state.joint_positions_rad)
    seen = seen_object(tracks, object_class)
    if ahead_ns and not in_hand(seen.position_m, base_T_tcp.translation, state.gripper_opening):
        seen = seen_object(tracks, object_class, ahead_ns)
    return Observation(
        stamp_ns=tracks.stamp_ns,
        joint_positions_rad=state.joint_positions_rad,
        gripper_opening=state.gripper_opening,
        base_T_tcp=base_T_tcp,
        object_position_m=seen.position_m,
        object_covariance_m2=seen.covariance_m2,
        object_visible_age_s=seen.age_s,
        object_velocity_m_s=seen.velocity_m_s,
        object_velocity_covariance=seen.velocity_covariance,
        object_ahead_ns=seen.ahead_ns,
    )


def in_hand(position_m: Array, tcp_m: Array, gripper_opening: float) -> bool:
    """Whether an object goes where the hand goes: between fingers that are not open. Its own velocity predicts nothing.

    Args:
        position_m: Shape (3,), the object [m].
        tcp_m: Shape (3,), the point between the finger tips [m].
        gripper_opening: 0 = closed, 1 = open.
    """
    return bool(gripper_opening < OPEN and np.linalg.norm(position_m - tcp_m) < REACH_M)


def _moves(velocity: Array, spread: Array) -> bool:
    """Whether a velocity differs from rest for certain, along its own direction."""
    speed = float(np.linalg.norm(velocity))
    if speed < SLOWEST_M_S:
        return False
    along = velocity / speed
    return bool(speed > SIGNIFICANT_SIGMA * np.sqrt(max(0.0, float(along @ spread @ along))))
