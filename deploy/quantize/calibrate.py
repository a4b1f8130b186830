"""Ranges of a network's tensors, out of frames that it will see: one pass, and all methods from the same histograms.

ONNX Runtime's own calibrators keep every tensor of every frame until the end and need a pass for each method; 400
frames of a small detector would take tens of gigabytes. Here a frame's tensors are counted and dropped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput, require
from deploy.quantize.graph import load
from deploy.quantize.index import GraphIndex

Method = Literal["minmax", "percentile", "entropy"]
METHODS: tuple[Method, ...] = ("minmax", "percentile", "entropy")
BINS = 4096
LEVELS = 128
_STEP = 16
PERCENTILE = 99.999

Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Ranges:
    """What values each tensor takes.

    Attributes:
        method: How they were found.
        frames: How many frames they come from.
        by_tensor: Lowest and highest value of a tensor that must be represented, by its name.
    """

    method: str
    frames: int
    by_tensor: Mapping[str, tuple[float, float]]

    @property
    def sha256(self) -> str:
        """Hash of the ranges, hexadecimal."""
        content = [self.method, self.frames, sorted((name, *ends) for name, ends in self.by_tensor.items())]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


class Counts:
    """Values of one tensor, counted in bins of equal width over [-limit, limit].

    The limit is a power of two and doubles when a value exceeds it: neighbouring bins are added then, so no value is
    counted in a wrong place and the memory never grows.
    """

    __slots__ = ("bins", "high", "limit", "low")

    def __init__(self) -> None:
        self.bins: Int64 = np.zeros(BINS, np.int64)
        self.limit = 0.0
        self.low, self.high = np.inf, -np.inf

    def add(self, values: Float32) -> None:
        """Count values of any shape; those that are not finite count as none."""
        low, high = float(values.min()), float(values.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            values = values[np.isfinite(values)]
            if not values.size:
                return
            low, high = float(values.min()), float(values.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self._widen(max(abs(low), abs(high)))
        scale = np.float32(BINS / (2.0 * self.limit))
        places = (values.ravel() * scale + np.float32(BINS // 2)).astype(np.int32)
        np.clip(places, 0, BINS - 1, out=places)
        self.bins += np.bincount(places, minlength=BINS)

    def magnitudes(self) -> Int64:
        """Counts of absolute values, shape (BINS / 2,), over [0, limit]."""
        half = BINS // 2
        folded: Int64 = self.bins[half:] + self.bins[:half][::-1]
        return folded

    def _widen(self, reach: float) -> None:
        if self.limit == 0.0:
            self.limit = float(2.0 ** np.ceil(np.log2(max(reach, 2.0**-60))))
        while reach > self.limit:
            quarter = BINS // 4
            merged = self.bins.reshape(-1, 2).sum(axis=1)
            self.bins = np.zeros(BINS, np.int64)
            self.bins[quarter : 3 * quarter] = merged
            self.limit *= 2.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Histograms of all float tensors of a model.

    Attributes:
        frames: How many frames were counted.
        counts: Histogram of a tensor, by its name.
    """

    frames: int
    counts: Mapping[str, Counts]

    def ranges(self, method: Method, percentile: float = PERCENTILE) -> Ranges:
        """The range of each tensor.

        Args:
            method: `minmax` takes what was seen. `percentile` cuts the rarest values off, by magnitude. `entropy` cuts
                where the distribution in 128 levels diverges least from the one that was seen.
            percentile: Share of the magnitudes to keep [%].

        Raises:
            BadInput: If the method is unknown.
        """
        if method not in METHODS:
            raise BadInput(f"calibration method {method!r}: expected one of {', '.join(METHODS)}")
        found = {name: _range(counts, method, percentile) for name, counts in sorted(self.counts.items())}
        return Ranges(method, self.frames, MappingProxyType(found))


def collect(model_path: str | Path, feeds: Iterable[Mapping[str, npt.NDArray[Any]]], threads: int = 1) -> Calibration:
    """Run frames through a model and count the values of all its float tensors.

    Args:
        model_path: The float model.
        feeds: Inputs by name, one mapping for each frame; read one after another and not kept.
        threads: Threads inside one operator.

    Raises:
        BadInput: If there are no frames, or one does not fit the model.
        Missing: If onnx or onnxruntime is not installed.
    """
    session, names = _instrumented(load(model_path), threads)
    counts = {name: Counts() for name in names}
    inputs = {spec.name for spec in session.get_inputs() if spec.type == "tensor(float)"}
    frames = 0
    for feed in feeds:
        try:
            outputs = session.run(names, dict(feed))
        except Exception as error:  # its exceptions have no common base
            reason = str(error).strip().split("\n", 1)[0][:160]
            raise BadInput(f"calibration frame {frames} does not fit {model_path}: {reason}") from error
        for name, values in zip(names, outputs, strict=True):
            if values.size:
                counts[name].add(values)
        for name in sorted(inputs):
            counts.setdefault(name, Counts()).add(np.asarray(feed[name]))
        frames += 1
    if not frames:
        raise BadInput(f"no calibration frames for {model_path}: expected at least 1, 300 to 500 are usual")
    return Calibration(frames, MappingProxyType({k: v for k, v in sorted(counts.items()) if np.isfinite(v.low)}))


def collect_ranges(
    model_path: str | Path, feeds: Iterable[Mapping[str, npt.NDArray[Any]]], method: Method = "minmax"
) -> Ranges:
    """`collect` and `Calibration.ranges` in one, for a single method."""
    return collect(model_path, feeds).ranges(method)


def _instrumented(model: Any, threads: int) -> tuple[Any, list[str]]:
    """A session of the model that gives every float tensor."""
    onnx, ort = require("onnx", "quantize"), require("onnxruntime", "quantize")
    index = GraphIndex.of(model)
    made = {name for node in index.nodes for name in node.output if name}
    names = sorted(name for name in made if index.types.get(name) == onnx.TensorProto.FLOAT)
    for name in names:
        if name not in index.outputs:
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session, names


def _range(counts: Counts, method: Method, percentile: float) -> tuple[float, float]:
    if method == "minmax":
        return counts.low, counts.high
    magnitudes = counts.magnitudes()
    reached = _percentile_bin(magnitudes, percentile) if method == "percentile" else _entropy_bin(magnitudes)
    threshold = reached * counts.limit / len(magnitudes)
    return max(counts.low, -threshold), min(counts.high, threshold)


def _percentile_bin(magnitudes: Int64, percentile: float) -> int:
    cumulated = np.cumsum(magnitudes)
    return int(np.searchsorted(cumulated, cumulated[-1] * percentile / 100.0)) + 1


def _entropy_bin(magnitudes: Int64) -> int:
    """Number of bins to keep, after the calibration of S. Migacz, 8-bit inference with TensorRT, GTC 2017.

    For each threshold the distribution below it, with what lies beyond added to its last bin, is compared with itself
    in 128 levels by the Kullback-Leibler divergence. Bin 0 is left out: the many exact zeros need no level.
    """
    counts = magnitudes.astype(np.float64)
    counts[0] = 0.0
    used = int(np.max(np.nonzero(magnitudes)[0], initial=0)) + 1
    if used <= LEVELS or not counts.any():
        return used
    beyond = counts.sum() - np.cumsum(counts)
    best, least = used, np.inf
    for kept in (*range(LEVELS, used, _STEP), used):
        shown = counts[:kept]
        reference = shown.copy()
        reference[-1] += beyond[kept - 1]
        starts = (np.arange(LEVELS) * kept) // LEVELS
        filled = shown > 0
        number = np.add.reduceat(filled.astype(np.float64), starts)
        mean = np.add.reduceat(shown, starts) / np.maximum(number, 1.0)
        widths = np.diff(np.append(starts, kept))
        candidate = np.where(filled, np.repeat(mean, widths), 0.0)
        divergence = _divergence(reference, candidate)
        if divergence < least:
            best, least = kept, divergence
    return best


def _divergence(reference: npt.NDArray[np.float64], candidate: npt.NDArray[np.float64]) -> float:
    if candidate.sum() == 0.0:
        return float("inf")
    p, q = reference / reference.sum(), candidate / candidate.sum()
    seen = p > 0
    smallest = 1e-4 / len(q)  # a last bin that holds only what was cut off has no candidate
    return float(np.sum(p[seen] * np.log(p[seen] / np.maximum(q[seen], smallest))))
