"""Lets a torchvision wheel that was linked against CUDA import next to a CPU build of torch.

Such a wheel cannot load its library of operators, and `import torchvision` then fails with "operator torchvision::nms
does not exist". Trainers need that one operator only, so it is defined here, with a kernel in numpy.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any

import numpy as np

from deploy.errors import require

_KEEP: list[Any] = []


def install() -> bool:
    """Make torchvision importable, and its `nms` usable, next to a CPU build of torch.

    Returns:
        Whether that needed the stand-in; False if torchvision works by itself or is not installed.
    """
    if _KEEP or importlib.util.find_spec("torchvision") is None:
        return bool(_KEEP)
    torch = require("torch", "train")
    # The operators must exist before the first import of torchvision, which cannot be repeated when it fails half-way.
    # So the build of torch decides whether to try: one with CUDA can load any wheel.
    if torch.version.cuda is not None or _loads():
        return False
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):  # torchvision registers a fake kernel for both while it is imported
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.impl(name, non_maximum_suppression, "CPU")
    _KEEP.append(library)
    torchvision = require("torchvision", "train")
    # Its Python wrapper refuses to call an operator while the library is absent.
    torchvision.ops.nms = torchvision.ops.boxes.nms = non_maximum_suppression
    return True


def _loads() -> bool:
    """Whether torchvision imports in a process of its own."""
    command = [sys.executable, "-c", "import torchvision"]
    return subprocess.run(command, capture_output=True, check=False, timeout=300).returncode == 0


def non_maximum_suppression(boxes: Any, scores: Any, iou_threshold: float) -> Any:
    """Greedy non-maximum suppression.

    Args:
        boxes: Shape (N, 4), x1 y1 x2 y2.
        scores: Shape (N,).
        iou_threshold: A box goes when its intersection over union with a better one is larger than this.

    Returns:
        Shape (K,), int64: rows that stay, best first.
    """
    torch = require("torch", "train")
    order = np.argsort(-scores.detach().cpu().numpy(), kind="stable")
    x1, y1, x2, y2 = boxes.detach().cpu().numpy().astype(np.float32)[order].T
    area = np.maximum(x2 - x1, 0.0) * np.maximum(y2 - y1, 0.0)
    rows, kept = np.arange(len(order)), []
    while len(rows):
        best, rest = rows[0], rows[1:]
        kept.append(order[best])
        width = np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest])
        height = np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest])
        overlap = np.maximum(width, 0.0) * np.maximum(height, 0.0)
        rows = rest[overlap <= iou_threshold * (area[best] + area[rest] - overlap)]
    return torch.as_tensor(np.array(kept, dtype=np.int64), device=boxes.device)
