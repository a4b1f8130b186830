"""Picture and video files as a sequence of images."""

from __future__ import annotations

from typing import Any

import cv2

from deploy.errors import BadInput
from geometry.types import DepthImage, Image
from perception.sources.image_files import find_files, read_color, read_depth

DEFAULT_FPS = 30.0
DEPTH_SUFFIXES = (".bin", ".png", ".tif", ".tiff")


class Pictures:
    """Picture files in the order of their names, with depth files beside them.

    Args:
        pattern: Folder or pattern of the colour pictures.
        depth: Folder or pattern of as many depth pictures, or None.

    Raises:
        BadInput: If there are none, the numbers differ, or the first one cannot be read.
    """

    fps = DEFAULT_FPS

    def __init__(self, pattern: str, depth: str | None) -> None:
        self._colors = find_files(pattern, "pictures")
        self._depths = None if depth is None else find_files(depth, "depth", DEPTH_SUFFIXES)
        if self._depths is not None and len(self._depths) != len(self._colors):
            raise BadInput(
                f"{len(self._colors)} pictures in {pattern!r} but {len(self._depths)} in {depth!r}; each "
                "colour picture needs one of depth"
            )
        first = read_color(self._colors[0])
        self.size = (int(first.shape[1]), int(first.shape[0]))
        self._index = 0

    def next(self) -> tuple[Image, DepthImage | None] | None:
        """The next picture and its depth; None at the end."""
        if self._index >= len(self._colors):
            return None
        color = read_color(self._colors[self._index])
        depth = None if self._depths is None else read_depth(self._depths[self._index])
        self._index += 1
        return color, depth

    def rewind(self) -> None:
        """Start again."""
        self._index = 0

    def close(self) -> None:
        """Free the file; nothing comes after."""
        self._index = len(self._colors)


class Video:
    """A video file.

    Raises:
        BadInput: If OpenCV cannot read it.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._capture: Any = cv2.VideoCapture(path)
        self.size = (
            int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        if not self._capture.isOpened() or min(self.size) < 1:
            self._capture.release()
            raise BadInput(f"{path}: not a video that OpenCV reads, or empty")
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = fps if 0.0 < fps < 1000.0 else DEFAULT_FPS

    def next(self) -> tuple[Image, None] | None:
        """The next picture; None at the end."""
        found, image = self._capture.read()
        return (image, None) if found else None

    def rewind(self) -> None:
        """Start again."""
        self._capture.release()
        self._capture = cv2.VideoCapture(self._path)

    def close(self) -> None:
        """Free the file; nothing comes after."""
        self._capture.release()
