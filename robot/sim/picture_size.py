"""The simulated camera with fewer pixels: the same lens, the same view, a coarser and cheaper picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from deploy.errors import BadInput
from geometry.camera import Camera
from robot.sim.layout import CAMERA, IMAGE_HEIGHT, IMAGE_WIDTH

Size = tuple[int, int]
FULL_SIZE: Final[Size] = (IMAGE_WIDTH, IMAGE_HEIGHT)
_LEAST_WIDTH: Final = 64
# a whole number of pixels in both directions at 4:3, and whole 2x2 blocks for the ray caster
_STEP: Final = 8


def picture_size(size_px: Sequence[int] | None, name: str) -> Size:
    """Check the size of a simulated camera's picture.

    Args:
        size_px: Width and height [px]; None for the full 640 x 480.
        name: Name of the camera, for the error.

    Raises:
        BadInput: If it is no such size.
    """
    if size_px is None:
        return FULL_SIZE
    size = tuple(size_px) if isinstance(size_px, (list, tuple)) else ()
    whole = len(size) == 2 and all(isinstance(side, int) and not isinstance(side, bool) for side in size)
    if (
        not whole
        or not _LEAST_WIDTH <= size[0] <= IMAGE_WIDTH
        or size[0] % _STEP
        or size[0] * IMAGE_HEIGHT != size[1] * IMAGE_WIDTH
    ):
        raise BadInput(
            f"size_px of camera {name} is {size_px!r}: expected width and height of a picture of {IMAGE_WIDTH}:"
            f"{IMAGE_HEIGHT}, the width a multiple of {_STEP} from {_LEAST_WIDTH} to {IMAGE_WIDTH}, as [320, 240]"
        )
    return size[0], size[1]


def camera_of(size_px: Size) -> Camera:
    """Intrinsics of the simulated camera at a size that `picture_size` has checked: the full picture's, resized.

    Example:
        >>> camera_of((320, 240))
        Camera(width=320, height=240, fx=304.0, fy=304.0, cx=159.5, cy=119.5, distortion=())
    """
    return CAMERA.scaled(size_px[0] / CAMERA.width)
