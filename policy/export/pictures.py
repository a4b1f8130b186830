"""Pictures out of a dataset that holds them as pictures, for comparing and for calibrating."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from deploy.backend import Tensor
from deploy.errors import BadInput, require
from geometry.types import Image, IntArray


def read_pictures(folder: Path, feature: str, rows: IntArray) -> list[Tensor]:
    """Some frames' pictures of one camera.

    Args:
        folder: Root of a LeRobot dataset (v3.0).
        feature: Such as `observation.images.wrist`.
        rows: Shape (n,): numbers of the frames.

    Returns:
        For each row (1, 3, height, width) float32, RGB from 0 to 1.

    Raises:
        BadInput: If the dataset holds them as a video, or one cannot be read.
        Missing: If pyarrow cannot be imported.
    """
    parquet = require("pyarrow.parquet", "dataset")
    wanted, found = set(np.asarray(rows).tolist()), {}
    for file in sorted((folder / "data").glob("chunk-*/file-*.parquet")):
        if feature not in parquet.read_schema(file).names:
            raise BadInput(f"--dataset {folder} holds {feature} as a video: record it as pictures, or leave it out")
        for batch in parquet.ParquetFile(file).iter_batches(64, columns=["index", feature]):
            for index, cell in zip(batch["index"].to_pylist(), batch[feature], strict=True):
                if index in wanted:
                    found[index] = _decode(cell.as_py(), folder, feature, index)
    missing = sorted(wanted - found.keys())
    if missing:
        raise BadInput(f"--dataset {folder} has no frame {missing[0]}: collect it again")
    return [found[index] for index in np.asarray(rows).tolist()]


def holds_pictures(folder: Path, feature: str) -> bool:
    """Whether a dataset holds a camera's pictures one by one, and not as a video.

    Raises:
        Missing: If pyarrow cannot be imported.
    """
    parquet = require("pyarrow.parquet", "dataset")
    file = next(iter(sorted((folder / "data").glob("chunk-*/file-*.parquet"))), None)
    return file is not None and feature in parquet.read_schema(file).names


def _decode(cell: object, folder: Path, feature: str, index: int) -> Tensor:
    content = cell.get("bytes") if isinstance(cell, dict) else None
    image = None if not content else cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise BadInput(f"--dataset {folder}: {feature} of frame {index} is no picture that can be read")
    return as_input(np.asarray(image[..., ::-1], dtype=np.uint8))


def as_input(image: Image) -> Tensor:
    """RGB bytes (height, width, 3) as the network takes them: (1, 3, height, width) float32 from 0 to 1."""
    planes: Tensor = np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32)
    planes /= np.float32(255.0)
    return planes
