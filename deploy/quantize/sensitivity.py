"""Which layers lose most in 8 bits, and which to give back to float until the whole is good enough."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput, require
from deploy.quantize.calibrate import Ranges
from deploy.quantize.graph import float_region, layers, output_convolutions, save
from deploy.quantize.index import GraphIndex, prepared
from deploy.quantize.qdq import Style, quantize

Feed = Mapping[str, npt.NDArray[Any]]
ARTIFACT = "candidate.onnx"


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What one layer alone in 8 bits does to a network.

    Attributes:
        node: Name of the layer.
        noise: Power of the error over the power of the signal where the head begins; 0 is no loss.
        accuracy: What `evaluate` said of the network with this layer alone in 8 bits; None without one.
    """

    node: str
    noise: float
    accuracy: float | None = None

    @property
    def noise_db(self) -> float:
        """Signal to noise [dB]; infinite without noise."""
        return float("inf") if self.noise <= 0.0 else float(-10.0 * np.log10(self.noise))


@dataclass(frozen=True, slots=True)
class Restoration:
    """A network with some layers given back to float.

    Attributes:
        model: The `ModelProto`.
        restored: Names of the layers given back (`graph.layers`), worst first.
        float_nodes: All that stays in float: the region that was given, and the restored ones.
        accuracy: What the network reached.
        reached: Whether that is enough.
        evaluations: How often the accuracy was measured.
    """

    model: Any
    restored: tuple[str, ...]
    float_nodes: frozenset[str]
    accuracy: float
    reached: bool
    evaluations: int


def rank_layers(
    model: Any,
    ranges: Ranges,
    style: Style,
    feeds: Iterable[Feed],
    evaluate: Callable[[Path], float] | None = None,
    float_nodes: Collection[str] | None = None,
) -> list[Sensitivity]:
    """Quantize one layer at a time and see what comes out.

    A layer is a convolution with its activation, or a residual sum (`graph.layers`). The error is taken at the outputs
    of the head's last convolutions: there all numbers are of one kind, whatever the decoding makes of them, and no
    threshold hides a loss.

    Args:
        model: The float `ModelProto`.
        ranges: Its calibrated ranges.
        style: In which form.
        feeds: A few frames.
        evaluate: Accuracy of a model file, the higher the better; called once for each layer.
        float_nodes: What stays in float anyway; the default is `graph.float_region`.

    Returns:
        All layers, worst first: by accuracy if it was measured, then by noise, then by name.

    Raises:
        BadInput: If there are no frames, or no layer can be quantized.
    """
    source = prepared(model)
    keep = frozenset(float_region(source) if float_nodes is None else float_nodes)
    frames = [dict(feed) for feed in feeds]
    if not frames:
        raise BadInput("no frames to rank layers on: expected at least 1, 4 to 8 are usual")
    groups = {name: group for name, group in layers(source).items() if name not in keep}
    if not groups:
        raise BadInput("no layer is left to rank: the whole network stays in float")
    probes = _probes(source)
    reference = _run(source, probes, frames)
    everything = {node.name for node in source.graph.node}
    found = []
    with tempfile.TemporaryDirectory(prefix="eyehand-") as folder:
        for layer, group in groups.items():
            alone = quantize(source, ranges, style, everything - group)
            accuracy = None if evaluate is None else float(evaluate(save(alone, Path(folder) / ARTIFACT)))
            found.append(Sensitivity(layer, _noise(reference, _run(alone, probes, frames)), accuracy))
    return sorted(found, key=lambda s: (0.0 if s.accuracy is None else s.accuracy, -s.noise, s.node))


def restore(
    model: Any,
    ranges: Ranges,
    style: Style,
    ranking: Sequence[Sensitivity],
    accuracy: Callable[[Path], float],
    least: float,
    float_nodes: Collection[str] | None = None,
    max_evaluations: int = 12,
) -> Restoration:
    """Give the worst layers back to float until the accuracy is enough.

    Their number is doubled until it is, then halved into: as few layers as this order allows, in a few evaluations.

    Args:
        model: The float `ModelProto`.
        ranges: Its calibrated ranges.
        style: In which form.
        ranking: From `rank_layers`.
        accuracy: Accuracy of a model file, the higher the better.
        least: What it must reach: the float model's, less the drop that is allowed.
        float_nodes: What stays in float anyway; the default is `graph.float_region`.
        max_evaluations: How often the accuracy may be measured.

    Returns:
        The network with fewest restored layers that was enough; if none was, the most accurate one.

    Raises:
        BadInput: If no evaluation is allowed.
    """
    if max_evaluations < 1:
        raise BadInput(f"{max_evaluations} evaluations: expected at least 1")
    source = prepared(model)
    keep = frozenset(float_region(source) if float_nodes is None else float_nodes)
    groups = layers(source)
    worst = [entry.node for entry in ranking]
    most = len(worst) - 1  # one layer stays in 8 bits: without any there is nothing to ship
    tried: dict[int, Restoration] = {}

    with tempfile.TemporaryDirectory(prefix="eyehand-") as folder:

        def attempt(number: int) -> bool:
            if number not in tried:
                kept = keep.union(*(groups.get(name, frozenset({name})) for name in worst[:number]))
                candidate = quantize(source, ranges, style, kept)
                value = float(accuracy(save(candidate, Path(folder) / ARTIFACT)))
                tried[number] = Restoration(
                    candidate, tuple(worst[:number]), kept, value, value >= least, len(tried) + 1
                )
            return tried[number].reached

        failed, number = -1, 0
        while not attempt(number) and number < most and len(tried) < max_evaluations:
            failed, number = number, min(max(1, 2 * number), most)
        while tried[number].reached and number - failed > 1 and len(tried) < max_evaluations:
            middle = (failed + number) // 2
            if attempt(middle):
                number = middle
            else:
                failed = middle
    enough = [number for number, result in sorted(tried.items()) if result.reached]
    chosen = tried[enough[0]] if enough else max(tried.values(), key=lambda result: result.accuracy)
    return Restoration(
        chosen.model, chosen.restored, chosen.float_nodes, chosen.accuracy, chosen.reached, evaluations=len(tried)
    )


def _probes(model: Any) -> list[str]:
    """Tensors to compare: what the head's last convolutions give; the outputs, if there are none."""
    index = GraphIndex.of(model)
    last = output_convolutions(model)
    made = [node.output[0] for node in index.nodes if node.name in last]
    return made or list(index.outputs)


def _run(model: Any, probes: list[str], frames: list[dict[str, Any]]) -> list[npt.NDArray[np.float64]]:
    onnx, ort = require("onnx", "quantize"), require("onnxruntime", "quantize")
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    there = {info.name for info in probed.graph.output}
    for name in probes:
        if name not in there:
            probed.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(probed.SerializeToString(), options, providers=["CPUExecutionProvider"])
    runs = [session.run(probes, frame) for frame in frames]
    return [np.stack(values).astype(np.float64) for values in zip(*runs, strict=True)]


def _noise(reference: list[npt.NDArray[np.float64]], found: list[npt.NDArray[np.float64]]) -> float:
    """Mean over the tensors of error power over signal power, about each one's mean."""
    ratios = []
    for wanted, got in zip(reference, found, strict=True):
        signal = float(np.mean((wanted - wanted.mean()) ** 2))
        error = float(np.mean((wanted - got) ** 2))
        ratios.append(error / max(signal, 1e-30))
    return float(np.mean(ratios))
