"""From photons to objects in space.

Owns: `Frame`, capture sources, `Detections`, detectors (one invertible image transform shared by pixels, boxes and
intrinsics; decode; NMS), box + depth -> 3D point with covariance, what a camera could have seen.

Does not own: track state, clocks.

The functions `localize` and `nms` are imported from their modules, which have the same names.
"""

from __future__ import annotations

from perception.detections import Detections
from perception.detector import Detector, NetworkDetector
from perception.frame import Frame
from perception.letterbox import Letterbox
from perception.localize import FrameId, Localized, LocalizeParameters
from perception.masks import Masks
from perception.source import Source, SourceStalled
from perception.visibility import Sight, Visibility

__all__ = [
    "Detections",
    "Detector",
    "Frame",
    "FrameId",
    "Letterbox",
    "LocalizeParameters",
    "Localized",
    "Masks",
    "NetworkDetector",
    "Sight",
    "Source",
    "SourceStalled",
    "Visibility",
]
