"""Which pixels of an image belong to each detection, kept as small as the network gave it and enlarged on demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import BoolArray
from perception.letterbox import Letterbox

Float32 = npt.NDArray[np.float32]
Cells = npt.NDArray[np.float32] | BoolArray


@dataclass(frozen=True, slots=True)
class CellGrid:
    """Where the pixels of an image lie in a grid of cells, along one axis: cell = scale * pixel + offset.

    Whole numbers are centres on both sides.

    Attributes:
        scale: Cells for each pixel.
        offset: Of the first pixel's centre.
        least: Centre of the first cell that shows the image; those before it show padding.
        most: Centre of the last one.
    """

    scale: float = 1.0
    offset: float = 0.0
    least: float = -np.inf
    most: float = np.inf

    @classmethod
    def of(cls, pixels: int, cells: int, start: float, end: float) -> CellGrid:
        """An image that covers the grid from one edge to another.

        Args:
            pixels: Of the image.
            cells: Of the grid.
            start: Edge of the image, in cells: 0 is the left edge of the first cell.
            end: Its other edge.
        """
        scale = (end - start) / pixels
        least, most = max(start, 0.0), min(end, float(cells)) - 1.0
        if most < least:  # the image is less than a cell
            least = most = 0.5 * (least + most)
        return cls(scale, start + 0.5 * scale - 0.5, least, most)

    def at(self, pixels: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Places in the grid of pixels (N,); what lies beyond the image's outermost cells' centres moves onto them."""
        places = np.asarray(pixels, np.float64) * self.scale + self.offset
        return np.clip(places, self.least, self.most)


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """One mask for each detection, row by row.

    A network's masks are coarse: a cell covers several pixels of the image. Only the logits around each box are kept; a
    pixel belongs to the object if the logit there, interpolated between the four nearest cells, is positive and the
    pixel's centre lies in the box.

    Attributes:
        image_size: Width and height of the image [px].
        boxes: Shape (N, 4), float32, read-only: x1, y1, x2, y2 edges [px] of the image; a mask ends there.
        cells: For each row an array (h, w), read-only: logits as float32, or the mask itself as bool.
        corners: Shape (N, 2), int64, read-only: column and row, in the whole grid, of the first of a row's cells.
        grids: Of the columns and of the rows.

    Raises:
        BadInput: If the rows are not as many, naming the shapes.

    Example:
        >>> masks = Masks.from_arrays(np.array([[[False, True, True], [False, False, True]]]))
        >>> masks.patch(0, top=0, bottom=2, left=1, right=3).tolist()
        [[True, True], [False, True]]
    """

    image_size: tuple[int, int]
    boxes: Float32
    cells: tuple[Cells, ...]
    corners: npt.NDArray[np.int64]
    grids: tuple[CellGrid, CellGrid] = (CellGrid(), CellGrid())

    def __post_init__(self) -> None:
        boxes, corners = np.array(self.boxes, np.float32), np.array(self.corners, np.int64)
        count = len(self.cells)
        if boxes.shape != (count, 4) or corners.shape != (count, 2) or any(array.ndim != 2 for array in self.cells):
            raise BadInput(
                f"boxes {boxes.shape} and corners {corners.shape} of {count} masks: expected ({count}, 4) and "
                f"({count}, 2), and two axes for each mask"
            )
        for array in (boxes, corners, *self.cells):
            array.flags.writeable = False
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "corners", corners)

    @classmethod
    def from_arrays(cls, arrays: npt.ArrayLike) -> Masks:
        """Masks that are given pixel by pixel.

        Args:
            arrays: Shape (N, H, W), bool, in the pixels of the image.

        Raises:
            BadInput: If the shape or the type is another, naming it.
        """
        values = np.asarray(arrays)
        if values.ndim != 3 or values.dtype != np.bool_:
            raise BadInput(f"masks {values.dtype}{list(values.shape)}: expected bool[N, height, width]")
        count, height, width = values.shape
        limits = np.zeros((count, 4), np.int64)
        for row, mask in enumerate(values):
            columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
            if len(columns):
                limits[row] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
        cells = tuple(mask[y1:y2, x1:x2].copy() for mask, (x1, y1, x2, y2) in zip(values, limits, strict=True))
        return cls((width, height), limits.astype(np.float32), cells, limits[:, :2])

    @classmethod
    def from_prototypes(cls, coefficients: Float32, prototypes: Float32, boxes: Float32, letterbox: Letterbox) -> Masks:
        """Masks that are sums of prototypes (D. Bolya et al., YOLACT, ICCV 2019, section 3.2).

        Args:
            coefficients: Shape (N, K): of each detection.
            prototypes: Shape (K, rows, columns): they cover the network's input. Not kept.
            boxes: Shape (N, 4): x1, y1, x2, y2 edges [px] of the image, clipped to it.
            letterbox: How the image became the network's input.

        Raises:
            BadInput: If the shapes disagree, naming them.
        """
        if coefficients.shape != (len(boxes), *prototypes.shape[:1]) or prototypes.ndim != 3:
            raise BadInput(
                f"coefficients {coefficients.shape} and prototypes {prototypes.shape} of {len(boxes)} boxes: expected "
                "(N, K) and (K, rows, columns)"
            )
        size = prototypes.shape[2], prototypes.shape[1]
        image = letterbox.boxes_to_target([0.0, 0.0, *letterbox.source_size])[0].reshape(2, 2)
        start, end = image * size / np.array(letterbox.target_size, np.float64)
        grids = tuple(map(CellGrid.of, letterbox.source_size, size, start.tolist(), end.tolist()))
        first, beyond = _pixels_inside(np.asarray(boxes, np.float64).reshape(-1, 2, 2))
        low = np.stack([np.floor(grid.at(first[:, axis])) for axis, grid in enumerate(grids)], axis=1).astype(np.int64)
        high = np.stack([np.ceil(grid.at(beyond[:, axis] - 1)) + 1 for axis, grid in enumerate(grids)], axis=1)
        high = np.where(beyond > first, high, low).astype(np.int64)  # nothing of a box between two pixels' centres
        with np.errstate(invalid="ignore", over="ignore"):
            cells = tuple(
                _logits(weights, prototypes[:, top:bottom, left:right])
                for weights, (left, top), (right, bottom) in zip(coefficients, low.tolist(), high.tolist(), strict=True)
            )
        return cls(letterbox.source_size, boxes, cells, low, (grids[0], grids[1]))

    def __len__(self) -> int:
        return len(self.cells)

    def patch(self, row: int, top: int, bottom: int, left: int, right: int, stride: int = 1) -> BoolArray:
        """A part of a mask: the same as `full(row)[top:bottom:stride, left:right:stride]`, without the rest.

        Args:
            row: Of the detection.
            top: First row of pixels.
            bottom: The row after the last one.
            left: First column.
            right: The column after the last one.
            stride: Every how many pixels one is taken, in both directions.

        Returns:
            Shape (ceil((bottom - top) / stride), ceil((right - left) / stride)), true where the object is.

        Raises:
            BadInput: If the limits are not in the image, naming them.
        """
        width, height = self.image_size
        if not (0 <= top <= bottom <= height and 0 <= left <= right <= width and stride >= 1):
            raise BadInput(
                f"patch of rows {top}..{bottom}, columns {left}..{right}, stride {stride} of masks of a "
                f"{width}x{height} image: expected limits in order within it and a stride of at least 1"
            )
        rows, columns = np.arange(top, bottom, stride), np.arange(left, right, stride)
        (first_x, first_y), (beyond_x, beyond_y) = (
            limit[0] for limit in _pixels_inside(self.boxes[row].astype(np.float64).reshape(1, 2, 2))
        )
        within_y = slice(*np.searchsorted(rows, (first_y, beyond_y)))
        within_x = slice(*np.searchsorted(columns, (first_x, beyond_x)))
        mask = np.zeros((len(rows), len(columns)), np.bool_)
        mask[within_y, within_x] = self._sample(row, rows[within_y], columns[within_x])
        return mask

    def full(self, row: int) -> BoolArray:
        """A mask of the whole image, shape (H, W)."""
        width, height = self.image_size
        return self.patch(row, 0, height, 0, width)

    def select(self, rows: npt.NDArray[Any]) -> Masks:
        """Keep some rows.

        Args:
            rows: Shape (N,) of bool, or row numbers in the order that is wanted.
        """
        cells = tuple(self.cells[number] for number in np.arange(len(self))[rows].tolist())
        return Masks(self.image_size, self.boxes[rows], cells, self.corners[rows], self.grids)

    def _sample(self, row: int, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> BoolArray:
        """The mask at pixels inside its box, shape (len(rows), len(columns)): bilinear, one axis after the other."""
        cells, (left, top) = self.cells[row], self.corners[row].tolist()
        if cells.dtype == np.bool_:
            return np.asarray(cells[rows - top][:, columns - left])
        y, x = self.grids[1].at(rows) - top, self.grids[0].at(columns) - left
        above, before = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
        below, after = np.ceil(y).astype(np.int64), np.ceil(x).astype(np.int64)
        down, across = (y - above).astype(np.float32)[:, None], (x - before).astype(np.float32)
        lines = cells[above]
        lines = lines + (cells[below] - lines) * down
        values = lines[:, before]
        return np.asarray(values + (lines[:, after] - values) * across > 0.0)


def _pixels_inside(boxes: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Columns and rows (N, 2) of the first pixel whose centre lies in a box (N, 2, 2), and of the first behind it."""
    limits = np.ceil(boxes - 0.5).astype(np.int64)
    return limits[:, 0], limits[:, 1]


def _logits(weights: Float32, prototypes: Float32) -> Float32:
    """Weighted sum (h, w) of prototypes (K, h, w); a plain loop, so that it wakes no threads of a matrix library."""
    logits: Float32 = np.einsum("k,khw->hw", weights, prototypes, dtype=np.float32)
    logits[~np.isfinite(logits)] = -1.0  # a broken cell is not of the object
    return logits
