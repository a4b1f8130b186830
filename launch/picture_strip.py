"""A strip of pictures of one episode: the cell from outside above, what the wrist camera saw below."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from geometry.types import Image
from launch.sim_cell import SimCell
from robot.sim import Snapshot
from robot.sim.layout import CAMERA_NAME, OVERVIEW_NAME

INTERVAL_NS = 250_000_000
PICTURES = 6
WIDTH = 320


class PictureStrip:
    """Keeps snapshots while the episode runs, renders a few of them at its end.

    Args:
        cell: The simulated cell.
        path: PNG file to write.
    """

    def __init__(self, cell: SimCell, path: Path) -> None:
        self._cell = cell
        self._path = path
        self._snapshots: list[Snapshot] = []
        self._due_ns = 0

    def look(self, elapsed_ns: int) -> None:
        """Keep the world as it is, a few times per second."""
        if elapsed_ns >= self._due_ns:
            self._snapshots.append(self._cell.world.snapshot())
            self._due_ns = elapsed_ns + INTERVAL_NS

    def save(self) -> None:
        """Render evenly spaced snapshots, and the world as it is at the end."""
        self._snapshots.append(self._cell.world.snapshot())
        chosen = np.unique(np.linspace(0, len(self._snapshots) - 1, PICTURES).round().astype(int))
        columns = [self._column(self._snapshots[index]) for index in chosen]
        cv2.imwrite(str(self._path), np.hstack(columns))

    def _column(self, snapshot: Snapshot) -> Image:
        outside = self._render(snapshot, OVERVIEW_NAME)
        text = f"{snapshot.stamp_ns * 1e-9:.1f} s"
        cv2.putText(outside, text, (8, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 2, cv2.LINE_AA)
        return np.vstack([outside, self._render(snapshot, CAMERA_NAME)])

    def _render(self, snapshot: Snapshot, camera: str) -> Image:
        image = self._cell.renderer.render(snapshot, camera).color
        height = WIDTH * image.shape[0] // image.shape[1]
        small: Image = cv2.resize(image, (WIDTH, height), interpolation=cv2.INTER_AREA)
        return small
