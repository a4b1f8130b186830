"""From photons to objects in space.

Owns: `Frame`, capture sources, `Detections`, detectors (one invertible image transform shared by pixels, boxes and
intrinsics; decode; NMS), box + depth -> 3D point with covariance, mAP.

Does not own: track state, clocks.
"""

from __future__ import annotations

from perception.detections import Detections
from perception.frame import Frame
from perception.localize import FrameId, Localized
from perception.source import Source, SourceStalled

__all__ = ["Detections", "Frame", "FrameId", "Localized", "Source", "SourceStalled"]
