"""Poses, cameras and the arithmetic between pixels and points.

Owns: ``Pose`` (SE(3)), ``Camera`` (pinhole with distortion, and the scaled, cropped and letterboxed versions of
itself), projection and back-projection, depth registration, the time-indexed pose buffer, what the error of a pose
makes of points.

Does not own: anything else of ours. It imports only numpy, scipy and OpenCV.
"""

from __future__ import annotations

from .camera import Camera, letterbox_fit
from .pose import Pose
from .pose_buffer import PoseBuffer, PoseUnavailable
from .projection import deproject, project
from .registration import register_depth
from .uncertainty import pose_spread

__all__ = [
    "Camera",
    "Pose",
    "PoseBuffer",
    "PoseUnavailable",
    "deproject",
    "letterbox_fit",
    "pose_spread",
    "project",
    "register_depth",
]
