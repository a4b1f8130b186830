"""What a user can tune in the tracker, with the reason for each figure."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from deploy.errors import BadInput

_POSITIVE = frozenset(
    {"tentative_s", "coast_s", "lost_s", "settle_s", "gate_sigma", "gate_m", "distance_weight"}
    | {"initial_speed_m_s", "minimum_sigma_m"}
)
_SHARE = frozenset({"hidden_rate", "high_score", "low_score", "duplicate_iou", "depthless_iou"})
_COUNT = frozenset({"confirm_hits", "max_tracks"})


@dataclass(frozen=True, slots=True)
class TrackerParameters:
    """Figures of the base-frame tracker. All lifetimes are seconds, so that the frame rate does not change behaviour.

    Attributes:
        confirm_hits: Detections that a track needs before it counts, together with `confirm_s`.
        confirm_s: Time between its first and latest detection that it needs too [s]: two cameras that see one
            reflection at one instant are two hits and no time.
        tentative_s: An unconfirmed track dies after this long without a detection, wherever it is [s].
        coast_s: How long constant velocity is believed without a measurement [s]. Beyond it the velocity decays, and a
            confirmed track that nobody saw for so long is `LOST`.
        lost_s: A track that should be in plain view and is not detected dies after this long [s].
        hidden_rate: How fast a track behind a nearer surface ages, as a share of real time; outside the view it is 0.
        high_score: Detections from here on choose among all tracks, and only they start one.
        low_score: Detections from here up to `high_score` may continue a confirmed track that is left over; those below
            are ignored. A figure above `high_score` counts as `high_score`.
        gate_sigma: Largest Mahalanobis distance of a pair [standard deviations]; half of it if the classes differ.
        gate_m: Largest distance of a pair, however unsure a track is [m].
        slack_m: Error between cameras and of the moving camera's pose that no covariance knows of, one standard
            deviation [m]. It widens the gate; it does not enter the filter.
        distance_weight: Lambda of the association cost: cost of one standard deviation against one whole IoU [1].
        class_penalty: Added to the cost of a pair whose classes differ [1].
        duplicate_iou: Overlap with a better detection, in reach in space, from which no new track is started.
        depthless_iou: Overlap with a track's latest box from which a detection without depth continues that track.
        box_s: A box older than this says nothing about where the track is in the image [s].
        velocity_walk: How far a velocity wanders in a second, one standard deviation [m/s per sqrt(s)].
        settle_s: Time constant of the decay of an unmeasured velocity [s].
        rest_speed_m_s: Speed that something left alone may have, one standard deviation [m/s].
        initial_speed_m_s: Speed that something new may have, one standard deviation [m/s].
        manoeuvre_m_s: Speed that an object may have taken up when its measurements begin to run ahead or behind [m/s].
        manoeuvre_sigma: How far they must run, on one axis, before that is believed [standard deviations].
        minimum_sigma_m: Floor under each measurement's standard deviation [m].
        late_s: A frame may be this much older than the newest one, as when a second camera is slower [s].
        max_tracks: The tracks longest unseen are dropped beyond this number.

    Raises:
        BadInput: If a figure is out of range, naming it, its value and the range.
    """

    confirm_hits: int = 2
    confirm_s: float = 0.08
    tentative_s: float = 0.3
    coast_s: float = 0.5
    lost_s: float = 1.0
    hidden_rate: float = 0.05
    high_score: float = 0.5
    low_score: float = 0.1
    gate_sigma: float = 4.0
    gate_m: float = 0.15
    slack_m: float = 0.01
    distance_weight: float = 0.5
    class_penalty: float = 0.5
    duplicate_iou: float = 0.5
    depthless_iou: float = 0.3
    box_s: float = 0.5
    velocity_walk: float = 0.0005
    settle_s: float = 1.0
    rest_speed_m_s: float = 0.005
    initial_speed_m_s: float = 0.1
    manoeuvre_m_s: float = 0.15
    manoeuvre_sigma: float = 4.0
    minimum_sigma_m: float = 0.001
    late_s: float = 0.1
    max_tracks: int = 1024

    def __post_init__(self) -> None:
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            if name in _COUNT:
                good, wanted = isinstance(value, int) and value >= 1, "a whole number >= 1"
            elif name in _SHARE:
                good, wanted = 0.0 <= value <= 1.0, "0..1"
            elif name in _POSITIVE:
                good, wanted = math.isfinite(value) and value > 0.0, "> 0 and finite"
            else:
                good, wanted = math.isfinite(value) and value >= 0.0, ">= 0 and finite"
            if not good:
                raise BadInput(f"tracker {name} = {value}: expected {wanted}; the default is {field.default}")
