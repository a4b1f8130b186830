"""One picture of the world: colour, aligned depth and the camera that took it, stamped at the middle of exposure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from deploy.errors import BadInput
from geometry.camera import Camera
from geometry.types import DepthImage, Image


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A colour image with depth measured in the same pixels.

    Attributes:
        camera_name: Name of the camera in the rig, or its serial number.
        sequence: Number of the frame; a gap between two frames is the number of dropped frames.
        stamp_ns: Middle of the exposure on the run clock [ns].
        received_ns: When the host had the whole frame, on the run clock [ns].
        color: Shape (H, W, 3), uint8, channels blue, green, red.
        depth: Shape (H, W), uint16 in units of `depth_scale_m`, registered to the colour image; 0 = not measured.
            None if the camera has no depth.
        depth_scale_m: Metres per unit of depth, > 0; not looked at where there is no depth.
        camera: Intrinsics of the colour image, and so of the depth.

    Raises:
        BadInput: If an image has the wrong type or size, or the depth scale is not positive, naming the camera.
    """

    camera_name: str
    sequence: int
    stamp_ns: int
    received_ns: int
    color: Image
    depth: DepthImage | None
    depth_scale_m: float
    camera: Camera

    def __post_init__(self) -> None:
        color, depth, camera = self.color, self.depth, self.camera
        if color.dtype != np.uint8 or color.ndim != 3 or color.shape[2] != 3:
            raise BadInput(
                f"colour image {color.dtype}{list(color.shape)} from camera {self.camera_name}: expected "
                "uint8[height, width, 3] in blue, green, red order; convert it with cv2.cvtColor"
            )
        if color.shape[0] != camera.height or color.shape[1] != camera.width:
            raise BadInput(
                f"colour image {color.shape[1]}x{color.shape[0]} from camera {self.camera_name}: expected "
                f"{camera.width}x{camera.height}, the size of its intrinsics; use camera.scaled() for a resized stream"
            )
        if depth is None:
            return
        if depth.dtype != np.uint16 or depth.shape != color.shape[:2]:
            raise BadInput(
                f"depth image {depth.dtype}{list(depth.shape)} from camera {self.camera_name}: expected "
                f"uint16{list(color.shape[:2])}, the colour image's size; align depth to colour first "
                "(geometry.register_depth)"
            )
        if not (math.isfinite(self.depth_scale_m) and self.depth_scale_m > 0.0):
            raise BadInput(
                f"depth scale {self.depth_scale_m} from camera {self.camera_name}: expected > 0; "
                "read it from the frame's units"
            )
