"""Labelled pictures to judge engines on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

TWO_BOXES = "0 0.3 0.375 0.4 0.5\n1 0.7 0.625 0.4 0.5\n"
UNSEEN = "0 0.5 0.5 1.0 0.01\n1 0.5 0.25 1.0 0.01\n"


def write_pictures(folder: Path, height: int = 8, width: int = 10, labels: str = TWO_BOXES) -> Path:
    """Four plain pictures with the same labels, as a YOLO set.

    Args:
        folder: New.
        height: Of a picture [px].
        width: Of a picture [px].
        labels: Those of each picture. With `UNSEEN`, lines that no detector takes for an object, all are equally
            good: the gate lets through what is there to be built and timed only.

    Returns:
        Path of `data.yaml`.
    """
    for part in ("images/val", "labels/val"):
        (folder / part).mkdir(parents=True)
    for number in range(4):
        cv2.imwrite(str(folder / f"images/val/{number}.png"), np.full((height, width, 3), 50 * number, np.uint8))
        (folder / f"labels/val/{number}.txt").write_text(labels)
    (folder / "data.yaml").write_text("path: .\nval: images/val\nnames: [red_cube, distractor]\n")
    return folder / "data.yaml"
