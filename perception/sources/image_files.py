"""Pictures in files: names in the order people mean, colour, and depth as 16-bit PNG or raw `.bin`."""

from __future__ import annotations

import glob
import re
import struct
from pathlib import Path

import cv2
import numpy as np

from deploy.errors import BadInput
from geometry.types import DepthImage, Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
# A .bin file of depth: height and width as uint32, then rows of uint16, all little-endian.
BIN_HEADER = struct.Struct("<II")


def find_files(pattern: str, what: str, suffixes: tuple[str, ...] = SUFFIXES) -> list[Path]:
    """Files of a folder or glob pattern; numbers in names count as numbers, so `image_2` is before `image_10`.

    Raises:
        BadInput: If there are none.
    """
    path = Path(pattern)
    if path.is_dir():
        found = list(path.iterdir())
    elif path.is_file():
        found = [path]
    elif glob.has_magic(pattern):
        found = [Path(name) for name in glob.glob(pattern, recursive=True)]  # noqa: PTH207 - the pattern may be absolute
    else:
        raise BadInput(f"{what} {pattern!r}: no such file or folder")
    files = [file for file in found if file.is_file() and file.suffix.lower() in suffixes]
    if not files:
        raise BadInput(
            f"{what} {pattern!r}: no {', '.join(suffixes)} files there; give a folder or a pattern such as "
            "'images/color_*.png'"
        )
    return sorted(files, key=lambda file: (str(file.parent), _natural(file.name)))


def read_color(path: Path) -> Image:
    """Colour image of a file, shape (H, W, 3), blue-green-red, as it is stored: not turned by camera orientation tags.

    Raises:
        BadInput: If it is not an image.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise BadInput(f"{path}: not an image that OpenCV reads, or cut short")
    color: Image = np.asarray(image, dtype=np.uint8)
    return color


def read_depth(path: Path) -> DepthImage:
    """Depth image of a file, shape (H, W), uint16.

    Raises:
        BadInput: If it is not 16 bits in one channel, or its length is not what it says.
    """
    if path.suffix.lower() == ".bin":
        return _read_bin(path)
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise BadInput(f"{path}: not an image that OpenCV reads, or cut short")
    if image.dtype != np.uint16 or image.ndim != 2:
        raise BadInput(f"{path}: depth of {image.dtype}{list(image.shape)}; expected 16 bits, one channel")
    depth: DepthImage = np.asarray(image, dtype=np.uint16)
    return depth


def _read_bin(path: Path) -> DepthImage:
    data = path.read_bytes()
    if len(data) < BIN_HEADER.size:
        raise BadInput(f"{path}: {len(data)} bytes; expected height and width (uint32), then uint16 depth")
    height, width = BIN_HEADER.unpack_from(data)
    expected = BIN_HEADER.size + 2 * height * width
    if len(data) != expected:
        raise BadInput(f"{path}: {len(data)} bytes; expected {expected} for its {width}x{height} pixels of uint16")
    return np.frombuffer(data, dtype="<u2", offset=BIN_HEADER.size).reshape(height, width).astype(np.uint16)


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
