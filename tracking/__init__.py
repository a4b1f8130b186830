"""Identities over time: which detection is which object, where it is, how fast it moves, and how sure that is.

Owns: ``Tracks``, association (gate, cost, optimal assignment), the Kalman filters, the life of a track, one core and
the two trackers that use it: in the image and in the robot's base.

Does not own: images. What a camera could have seen comes in as a visibility callable.
"""

from __future__ import annotations

from .assignment import assign, association_cost
from .base_input import Points
from .base_tracker import BaseFrameTracker
from .image_tracker import ImageTracker
from .parameters import ImageTrackerParameters, TrackerParameters
from .tracks import Tracks, TrackState

__all__ = [
    "BaseFrameTracker",
    "ImageTracker",
    "ImageTrackerParameters",
    "Points",
    "TrackState",
    "TrackerParameters",
    "Tracks",
    "assign",
    "association_cost",
]
