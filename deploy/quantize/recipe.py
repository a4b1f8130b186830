"""The search for the best INT8 artifact: each calibration method, judged by the accuracy that counts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy.typing as npt

from deploy.errors import BadInput
from deploy.quantize.calibrate import METHODS, Calibration, Method, Ranges, collect
from deploy.quantize.graph import float_region, load, save
from deploy.quantize.qdq import Style, quantize
from deploy.quantize.sensitivity import Sensitivity, rank_layers, restore


class HasMap(Protocol):
    """What the search needs to know of an accuracy."""

    @property
    def map50_95(self) -> float:
        """Mean average precision over IoU 0.5 to 0.95, in [0, 1]."""


Accuracy = TypeVar("Accuracy", bound=HasMap)


@dataclass(frozen=True, slots=True)
class Trial:
    """One artifact that was tried.

    Attributes:
        method: Calibration method.
        restored: Layers given back to float.
        map50_95: What it reached.
    """

    method: str
    restored: tuple[str, ...]
    map50_95: float


@dataclass(frozen=True, slots=True)
class Result:
    """The best artifact.

    Attributes:
        style: Its form.
        method: Its calibration method.
        float_nodes: Names of the nodes that stay in float.
        restored: Those of them that are layers given back because they lost too much, worst first.
        ranges: The ranges that it was made with.
        model: The `ModelProto`.
        map50_95: What it reached.
        trials: All that was tried, in order.
        ranking: Sensitivity of the layers, worst first; empty if it was not needed.
    """

    style: Style
    method: str
    float_nodes: frozenset[str]
    restored: tuple[str, ...]
    ranges: Ranges
    model: Any
    map50_95: float
    trials: tuple[Trial, ...]
    ranking: tuple[Sensitivity, ...] = ()


def search(
    model_path: str | Path,
    feeds: Iterable[Mapping[str, npt.NDArray[Any]]] | Calibration,
    evaluate: Callable[[Path], Accuracy],
    style: Style,
    methods: Sequence[Method] = METHODS,
    margin: Callable[[Accuracy], float] | None = None,
    ranking_feeds: Sequence[Mapping[str, npt.NDArray[Any]]] = (),
    max_evaluations: int = 12,
) -> Result:
    """Quantize with each calibration method and keep the best by mAP; restore layers if that is not enough.

    Args:
        model_path: The float model.
        feeds: Calibration frames, or what `calibrate.collect` made of them, to share one pass among several searches.
        evaluate: Accuracy of a model file, on frames that are not among those.
        style: Form of the artifact.
        methods: Methods to try; of two that are equal the first is kept.
        margin: What an accuracy may still lose, negative if it is not enough. Then layers are ranked and the worst
            given back to float; None leaves it at that.
        ranking_feeds: A few frames for the ranking; needed with `margin`.
        max_evaluations: How often the accuracy may be measured while layers are given back.

    Returns:
        The best artifact, with all that was tried.

    Raises:
        BadInput: If no method is given, or `margin` without frames to rank on.
    """
    if not methods:
        raise BadInput("no calibration method to try: expected some of minmax, percentile, entropy")
    if margin is not None and not ranking_feeds:
        raise BadInput("an accuracy is to be reached and there are no frames to rank layers on: give some")
    model = load(model_path)
    keep = float_region(model)
    calibration = feeds if isinstance(feeds, Calibration) else collect(model_path, feeds)
    trials = []
    best: Result | None = None
    accuracy: Accuracy | None = None
    with tempfile.TemporaryDirectory(prefix="eyehand-") as folder:
        for method in methods:
            ranges = calibration.ranges(method)
            candidate = quantize(model, ranges, style, keep)
            found = evaluate(save(candidate, Path(folder) / f"{method}.int8-{style}.onnx"))
            trials.append(Trial(method, (), float(found.map50_95)))
            if best is None or trials[-1].map50_95 > best.map50_95:
                best, accuracy = Result(style, method, keep, (), ranges, candidate, trials[-1].map50_95, ()), found
    if best is None or accuracy is None:
        raise AssertionError("no trial was made")
    ranking: tuple[Sensitivity, ...] = ()
    if margin is not None and (lacking := margin(accuracy)) < 0.0:
        ranking = tuple(rank_layers(model, best.ranges, style, ranking_feeds, float_nodes=keep))
        enough = margin

        def left(path: Path) -> float:
            return float(enough(evaluate(path)))

        mended = restore(model, best.ranges, style, ranking, left, 0.0, keep, max_evaluations)
        with tempfile.TemporaryDirectory(prefix="eyehand-") as folder:
            reached = float(evaluate(save(mended.model, Path(folder) / f"mended.int8-{style}.onnx")).map50_95)
        trials.append(Trial(best.method, mended.restored, reached))
        if mended.accuracy > lacking:
            best = Result(
                style, best.method, mended.float_nodes, mended.restored, best.ranges, mended.model, reached, ()
            )
    return Result(
        best.style, best.method, best.float_nodes, best.restored, best.ranges, best.model, best.map50_95,
        tuple(trials), ranking,
    )  # fmt: skip
