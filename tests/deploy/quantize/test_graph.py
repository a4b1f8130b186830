from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import pytest

from deploy.errors import BadInput
from deploy.quantize.graph import decoding, float_region, layers, load, output_convolutions, quantizable, save
from deploy.quantize.index import GraphIndex, prepared
from tests.deploy.quantize.graphs import named, resnet, transformer, yolo


def kinds(model: onnx.ModelProto, names: frozenset[str]) -> Counter[str]:
    return Counter(node.op_type for node in prepared(model).graph.node if node.name in names)


def outside(model: onnx.ModelProto) -> Counter[str]:
    keep = float_region(model)
    return Counter(node.op_type for node in prepared(model).graph.node if node.name not in keep)


def test_head_and_decoding_of_a_yolo_stay_in_float() -> None:
    model = yolo(with_attention=False)
    found = kinds(model, float_region(model))
    assert found["Conv"] == 3  # boxes, logits, and the expectation of the distances
    assert found["Softmax"] == found["Sigmoid"] == 1
    assert found["Concat"] == 2
    assert outside(model) == Counter(Conv=6, Sigmoid=6, Mul=6, Add=1, MaxPool=1, Concat=1)
    assert len(output_convolutions(model)) == 2


@pytest.mark.parametrize("end_to_end", [False, True])
def test_attention_between_convolutions_stays_in_float(end_to_end: bool) -> None:
    model = yolo(end_to_end=end_to_end)
    found, rest = kinds(model, float_region(model)), outside(model)
    assert found["MatMul"] == found["Softmax"] == 2
    assert rest["MatMul"] == rest["Softmax"] == rest["TopK"] == rest["GatherElements"] == 0
    assert rest["Conv"] == 9  # its projections and positions are convolutions like others
    assert rest["Add"] == 2  # the residual sums; the sum inside attention is float
    assert len(output_convolutions(model)) == 2


def test_decoder_of_tokens_stays_in_float_and_the_backbone_does_not() -> None:
    model = transformer()
    found, rest = kinds(model, float_region(model)), outside(model)
    assert found["MatMul"] == sum(node.op_type == "MatMul" for node in model.graph.node)
    assert found["LayerNormalization"] == 3
    assert found["Conv"] == len(output_convolutions(model)) == 1  # the projection that feeds the decoder
    assert rest == Counter(Conv=5, Sigmoid=5, Mul=5, Add=1, MaxPool=1, Concat=1)


def test_residual_sum_before_the_head_ends_it() -> None:
    model = resnet()
    found, rest = kinds(model, float_region(model)), outside(model)
    assert found["Conv"] == found["Add"] == 1
    assert rest["Conv"] == 4
    assert rest["Add"] == 1


def test_shipped_detector(shipped: Path) -> None:
    model = load(shipped)
    keep = float_region(model)
    assert len(quantizable(model)) == 57
    assert len(output_convolutions(model)) == 6
    assert sorted(named(model, "Concat", keep)) == sorted(
        node.name for node in model.graph.node if node.op_type == "Concat" and node.name in decoding(model)
    )


def test_a_layer_takes_its_activation_along() -> None:
    model = prepared(yolo())
    kinds = {node.name: node.op_type for node in model.graph.node}
    groups = [sorted(kinds[name] for name in group) for group in layers(model).values()]
    assert groups.count(["Conv", "Mul", "Sigmoid"]) == 6
    assert groups.count(["Conv"]) == 3  # inside attention
    assert groups.count(["Add"]) == 2
    assert len(groups) == 11
    relu = [sorted(group) for group in layers(prepared(resnet())).values()]
    assert [len(group) for group in relu] == [2, 2, 1, 2, 2]  # the sum takes the activation, not the convolution


def test_decoding_begins_behind_the_last_weights() -> None:
    model = prepared(yolo())
    assert kinds(model, decoding(model))["Conv"] == 1
    assert kinds(prepared(transformer()), decoding(transformer())) == Counter(Sigmoid=2, Concat=1)


def test_preparing_names_hoists_and_is_stable(tmp_path: Path) -> None:
    model = yolo()
    constant = onnx.helper.make_node("Constant", [], ["unused"], value=model.graph.initializer[0])
    model.graph.node.insert(0, constant)
    once = prepared(model)
    names = [node.name for node in once.graph.node]
    assert len(set(names)) == len(names)
    assert all(names)
    assert "Constant" not in {node.op_type for node in once.graph.node}
    assert prepared(once).SerializeToString(deterministic=True) == once.SerializeToString(deterministic=True)
    assert float_region(model) == float_region(once)
    assert not model.graph.node[1].name  # the caller's model is left alone
    assert GraphIndex.of(once).shapes[once.graph.node[0].output[0]] == (1, 8, 16, 16)
    assert load(save(once, tmp_path / "a.onnx")) == once


def test_files_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.onnx does not exist"):
        load(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(BadInput, match=r"text\.onnx is not a valid ONNX model"):
        load(tmp_path / "text.onnx")
    broken = yolo()
    broken.graph.node[0].input[0] = "nowhere"
    with pytest.raises(BadInput, match=r"b\.onnx would not be a valid ONNX model"):
        save(broken, tmp_path / "b.onnx")
    assert not (tmp_path / "b.onnx").exists()


def test_control_flow_is_refused() -> None:
    branch = onnx.helper.make_graph([], "branch", [], [])
    model = yolo()
    model.graph.node.append(onnx.helper.make_node("If", ["c0"], ["z"], then_branch=branch, else_branch=branch))
    with pytest.raises(BadInput, match="holds a subgraph"):
        prepared(model)
