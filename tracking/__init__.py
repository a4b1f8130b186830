"""Identities over time: which detection is which object, where it is, how fast it moves, and how sure that is.

Owns: ``Tracks``, association (gate, cost, optimal assignment), the Kalman filter, the life of a track, the base-frame
tracker.

Does not own: images. What a camera could have seen comes in as a visibility callable.
"""

from __future__ import annotations

from .assignment import assign, association_cost
from .parameters import TrackerParameters
from .tracker import BaseFrameTracker
from .tracks import Tracks, TrackState

__all__ = ["BaseFrameTracker", "TrackState", "TrackerParameters", "Tracks", "assign", "association_cost"]
