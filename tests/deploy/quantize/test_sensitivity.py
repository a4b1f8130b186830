from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from deploy.errors import BadInput
from deploy.quantize.calibrate import Ranges, collect_ranges
from deploy.quantize.graph import layers, quantizable, save
from deploy.quantize.index import prepared
from deploy.quantize.sensitivity import Sensitivity, rank_layers, restore
from tests.deploy.quantize.graphs import noise, yolo

FRAGILE = 3


@pytest.fixture(scope="module")
def fragile(tmp_path_factory) -> tuple[onnx.ModelProto, Ranges, str]:
    """A network with one layer whose range was seen a hundred times too wide."""
    path = save(yolo(), tmp_path_factory.mktemp("sensitivity") / "m.onnx")
    model = prepared(yolo())
    name = quantizable(model)[FRAGILE]
    tensor = next(node.input[0] for node in model.graph.node if node.name == name)
    ranges = collect_ranges(path, noise())
    low, high = ranges.by_tensor[tensor]
    return model, Ranges("minmax", 4, {**ranges.by_tensor, tensor: (100 * low, 100 * high)}), name


@pytest.mark.parametrize("style", ["s8", "u8"])
def test_the_fragile_layer_comes_first(fragile, style) -> None:
    model, ranges, name = fragile
    ranking = rank_layers(model, ranges, style, noise(seed=1, frames=2))
    assert ranking[0].node == name
    assert {entry.node for entry in ranking} == layers(model).keys() > set(quantizable(model))
    assert ranking[0].noise > 10 * ranking[1].noise > 0.0
    assert ranking[0].noise_db < ranking[1].noise_db
    assert [entry.accuracy for entry in ranking] == [None] * len(ranking)


def test_measured_accuracy_counts_first(fragile) -> None:
    model, ranges, _ = fragile
    values = iter(np.linspace(0.9, 0.5, len(layers(model))))
    ranking = rank_layers(model, ranges, "s8", noise(frames=1), evaluate=lambda _: next(values))
    assert ranking[0].node == list(layers(model))[-1]
    assert ranking[0].accuracy == pytest.approx(0.5)


def pairs(path: Path) -> int:
    return sum(node.op_type == "QuantizeLinear" for node in onnx.load(str(path)).graph.node)


def test_few_layers_are_given_back_in_few_evaluations(fragile) -> None:
    model, ranges, name = fragile
    order = [name, *(layer for layer in quantizable(model) if layer != name)]
    ranking = [Sensitivity(layer, 1.0 / (place + 1)) for place, layer in enumerate(order)]
    seen: list[int] = []

    def accuracy(path: Path) -> float:
        convolutions = [node for node in onnx.load(str(path)).graph.node if node.op_type == "Conv"]
        seen.append(sum("DequantizeLinear" not in node.input[1] for node in convolutions) - 3)
        return 0.5 + 0.1 * seen[-1]

    enough = restore(model, ranges, "s8", ranking, accuracy, least=0.8)
    assert seen == [0, 1, 2, 4, 3]
    assert enough.restored == tuple(order[:3])
    assert set(order[:3]) <= enough.float_nodes
    assert (enough.reached, enough.evaluations) == (True, 5)
    assert enough.accuracy == pytest.approx(0.8)

    none = restore(model, ranges, "s8", ranking, accuracy, least=0.4)
    assert (none.restored, none.evaluations) == ((), 1)

    never = restore(model, ranges, "s8", ranking, accuracy, least=2.0)
    assert not never.reached
    assert len(never.restored) == len(order) - 1

    bounded = restore(model, ranges, "s8", ranking, accuracy, least=0.8, max_evaluations=3)
    assert (bounded.reached, bounded.evaluations, len(bounded.restored)) == (False, 3, 2)


def test_misuse_is_refused(fragile) -> None:
    model, ranges, _ = fragile
    with pytest.raises(BadInput, match="no frames to rank layers on"):
        rank_layers(model, ranges, "s8", [])
    with pytest.raises(BadInput, match="no layer is left to rank"):
        rank_layers(model, ranges, "s8", noise(), float_nodes={node.name for node in model.graph.node})
    with pytest.raises(BadInput, match="0 evaluations: expected at least 1"):
        restore(model, ranges, "s8", [], lambda _: 1.0, 0.5, max_evaluations=0)
