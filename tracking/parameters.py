"""What a user can tune in the trackers, with the reason for each figure."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from deploy.errors import BadInput

from .classes import Compatibility

_POSITIVE = frozenset(
    {"tentative_s", "coast_s", "lost_s", "settle_s", "gate_sigma", "gate_m", "gate_sizes", "distance_weight"}
    | {"initial_speed_m_s", "minimum_sigma_m", "box_noise", "initial_speed"}
)
_SHARE = frozenset(
    {"hidden_rate", "high_score", "low_score", "duplicate_iou", "depthless_iou", "other_class", "tentative_gate"}
)
_COUNT = frozenset({"confirm_hits", "max_tracks"})
# For ever, or as good as: times up to this fit into int64 nanoseconds.
LARGEST = 1e9


@dataclass(frozen=True, slots=True)
class LifeParameters:
    """Figures of both trackers. All lifetimes are seconds, so that the frame rate does not change behaviour.

    Attributes:
        confirm_hits: Detections that a track needs before it counts, together with the next two: a single one is enough
            only if those are 0.
        confirm_s: Time between its first and latest detection that it needs too [s].
        confirm_score: Sum of its detections' scores that it needs too: with 1.4, two of 0.7 or three of 0.5. Of more
            than five, their number times the fading mean of their scores.
        tentative_s: An unconfirmed track dies after this long without a detection [s].
        coast_s: How long constant velocity is believed without a measurement [s]. Beyond it the velocity decays, and a
            confirmed track that nobody saw for so long is `LOST`.
        lost_s: A track that should be in plain view and is not detected dies after this long [s].
        settle_s: Time constant of the decay of an unmeasured velocity [s].
        high_score: Detections from here on choose among all tracks, and only they start one.
        low_score: Detections from here up to `high_score` may continue a confirmed track that is left over; those below
            are ignored. A figure above `high_score` counts as `high_score`.
        duplicate_iou: Overlap with a better detection from which no new track is started.
        distance_weight: Lambda of the association cost: cost of one unit of distance against one whole IoU [1].
        class_penalty: Added to the cost of a pair of incompatible classes; less, the more compatible they are [1].
        class_compatibility: By two names of classes, how easily a detector takes one for the other: 1 as if they were
            one class, 0 never one object. It shrinks the gate and raises the cost.
        other_class: Compatibility of two classes that are not listed.
        max_tracks: The tracks longest unseen are dropped beyond this number.

    Raises:
        BadInput: If a figure is out of range, naming it, its value and the range.
    """

    confirm_hits: int = 2
    confirm_s: float = 0.08
    confirm_score: float = 0.0
    tentative_s: float = 0.3
    coast_s: float = 0.5
    lost_s: float = 1.0
    settle_s: float = 1.0
    high_score: float = 0.5
    low_score: float = 0.1
    duplicate_iou: float = 0.5
    distance_weight: float = 0.5
    class_penalty: float = 1.0
    class_compatibility: Compatibility = field(default_factory=dict)
    other_class: float = 0.5
    max_tracks: int = 1024

    def __post_init__(self) -> None:
        for entry in fields(self):
            name, value = entry.name, getattr(self, entry.name)
            if name == "class_compatibility":
                self._check_classes()
                continue
            if name in _COUNT:
                good, wanted = isinstance(value, int) and value >= 1, "a whole number >= 1"
            elif name in _SHARE:
                good, wanted = 0.0 <= value <= 1.0, "0..1"
            elif name in _POSITIVE:
                good, wanted = 0.0 < value <= LARGEST, f"> 0, at most {LARGEST:g}"
            else:
                good, wanted = 0.0 <= value <= LARGEST, f">= 0, at most {LARGEST:g}"
            if not good:
                raise BadInput(f"tracker {name} = {value}: expected {wanted}; the default is {entry.default}")

    def _check_classes(self) -> None:
        for a, row in self.class_compatibility.items():
            for b, value in row.items():
                if not 0.0 <= value <= 1.0:
                    raise BadInput(f"tracker class_compatibility of {a} and {b} = {value}: expected 0..1")
                other = self.class_compatibility.get(b, {}).get(a, value)
                if other != value or (a == b and value != 1.0):
                    wanted = "1 for a class and itself" if a == b else "the same figure in both orders"
                    raise BadInput(f"tracker class_compatibility of {a} and {b} = {value}, {other}: expected {wanted}")


@dataclass(frozen=True, slots=True)
class TrackerParameters(LifeParameters):
    """Figures of the base-frame tracker, besides those of `LifeParameters`.

    Attributes:
        hidden_rate: How fast a track behind a nearer surface ages, as a share of real time; outside the view it is 0.
        gone_s: A track in whose place free space is seen dies after this long [s].
        gate_sigma: Largest Mahalanobis distance of a pair [standard deviations]; times its classes' compatibility.
        gate_m: Largest distance of a pair, however unsure a track is [m].
        slack_m: Error between cameras and of the moving camera's pose that no covariance knows of, one standard
            deviation [m]. It widens the gate; it does not enter the filter.
        depthless_iou: Overlap with a track's latest box from which a detection without depth continues that track.
        box_s: A box older than this says nothing about where the track is in the image [s].
        velocity_walk: How far a velocity wanders in a second, one standard deviation [m/s per sqrt(s)].
        rest_speed_m_s: Speed that something may have while nobody looks, one standard deviation on each axis [m/s]. For
            what moved when it was last seen, it is that speed.
        initial_speed_m_s: Speed that something new may have, one standard deviation [m/s].
        manoeuvre_m_s: Speed that an object may have taken up when its measurements begin to run ahead or behind, or
            when free space is seen in its place [m/s].
        manoeuvre_sigma: How far they must run, on one axis, before that is believed [standard deviations].
        minimum_sigma_m: Floor under each measurement's standard deviation [m].
        late_s: A frame may be this much older than the newest one, as when a second camera is slower [s].
    """

    settle_s: float = 0.5
    hidden_rate: float = 0.05
    gone_s: float = 0.2
    gate_sigma: float = 4.0
    gate_m: float = 0.3
    slack_m: float = 0.01
    depthless_iou: float = 0.3
    box_s: float = 0.5
    velocity_walk: float = 0.0005
    rest_speed_m_s: float = 0.005
    initial_speed_m_s: float = 0.1
    manoeuvre_m_s: float = 0.15
    manoeuvre_sigma: float = 4.0
    minimum_sigma_m: float = 0.001
    late_s: float = 0.1


@dataclass(frozen=True, slots=True)
class ImageTrackerParameters(LifeParameters):
    """Figures of the image tracker, besides those of `LifeParameters`. Lengths are parts of the object's own size.

    The size of a box is the root of its area. In an image nothing says why a thing is not detected, so a track waits
    longer for it than in `base`, where it waits only while the place is in plain view.

    Attributes:
        trust_first_look: Tracks of the very first look with detections count at once: nothing came before it by which
            to doubt them.
        gate_sizes: Largest distance of the centres of a pair [sizes].
        gate_sigma: Largest distance of a pair's centres [standard deviations of what the filter expects].
        tentative_gate: How far a tentative track reaches, as a part of what a confirmed one does. After an interval
            without a look, at least that interval's part of `coast_s`: something new may have come far.
        box_noise: Standard deviation of a confident detection's centre, width and height [sizes].
        velocity_walk: How far a velocity wanders in a second, one standard deviation [sizes per s per sqrt(s)].
        initial_speed: Speed that something new may have, one standard deviation [sizes per s].
        parallax: How far a centre may move besides the camera's motion, one standard deviation, as a share of that.
    """

    confirm_s: float = 0.03
    confirm_score: float = 1.4
    lost_s: float = 2.0
    distance_weight: float = 1.0
    gate_sizes: float = 0.7
    gate_sigma: float = 3.3
    tentative_gate: float = 0.6
    box_noise: float = 0.1
    velocity_walk: float = 0.2
    initial_speed: float = 3.0
    parallax: float = 0.2
    trust_first_look: bool = True
