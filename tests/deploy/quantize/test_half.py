from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, numpy_helper

from deploy.errors import BadInput
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.quantize.calibrate import Calibration, Ranges, collect_ranges
from deploy.quantize.graph import decoding, float_region, load, save
from deploy.quantize.half import quantize_s8_fp16, to_fp16
from deploy.quantize.index import GraphIndex, metadata, prepared
from deploy.quantize.lint import lint
from tests.deploy.quantize.graphs import Net, noise, transformer, yolo

Feeds = list[dict[str, np.ndarray]]
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)


def run(model: onnx.ModelProto, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"]).run(None, feed)


def float_types(model: onnx.ModelProto) -> dict[str, set[int]]:
    """Types of a node's float tensors."""
    index = GraphIndex.of(prepared(model))
    return {
        node.name: {index.types[name] for name in (*node.input, *node.output) if index.types.get(name) in FLOATS}
        for node in index.nodes
    }


def test_shipped_detector_is_equal_in_half_the_bytes(shipped: Path, unseen_feeds: Feeds, tmp_path: Path) -> None:
    path = save(to_fp16(load(shipped)), tmp_path / "model.fp16.onnx")
    assert path.stat().st_size < 0.55 * shipped.stat().st_size
    exact, half = OnnxRuntimeBackend(shipped), OnnxRuntimeBackend(path)
    assert half.io_spec == exact.io_spec
    assert half.metadata == {**exact.metadata, "eyehand.precision": "fp16"}
    wanted, found = (np.concatenate([b.infer(feed)["output0"] for feed in unseen_feeds]) for b in (exact, half))
    sure = wanted[:, 4:].max(axis=1) > 0.25
    assert sure.sum() > 20
    assert np.abs(wanted - found)[:, 4:].max() < 0.02
    assert np.abs(wanted - found)[:, :4].max(axis=1)[sure].max() < 0.1  # px; FP16 itself steps by 0.25 there


@pytest.mark.parametrize("make", [yolo, lambda: yolo(end_to_end=True), transformer])
def test_weights_are_half_and_decoding_is_not(make) -> None:
    source = make()
    made = to_fp16(source)
    types, kinds = float_types(made), {node.name: node.op_type for node in made.graph.node}
    late = decoding(source)
    for name, found in types.items():
        if kinds[name] != "Cast":
            assert found <= ({TensorProto.FLOAT} if name in late else {TensorProto.FLOAT16}), name
    if len(source.graph.output[0].type.tensor_type.shape.dim) == 3 and "TopK" not in kinds.values():
        for feed in noise(frames=2):
            assert run(made, feed)[0] == pytest.approx(run(source, feed)[0], rel=0.02, abs=0.02)


def test_no_cast_goes_back_and_forth() -> None:
    made = to_fp16(yolo(with_attention=False))
    casts = [node for node in made.graph.node if node.op_type == "Cast"]
    assert len(casts) == 3  # the input, boxes and logits into the decoding


def test_ends_may_be_half_too() -> None:
    source = yolo()
    made = to_fp16(source, keep_io_float32=False)
    assert made.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT16
    assert made.graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT16
    feed = noise(frames=1)[0]
    found = run(made, {"images": feed["images"].astype(np.float16)})[0]
    assert found.dtype == np.float16
    assert found.astype(np.float32) == pytest.approx(run(source, feed)[0], rel=0.02, abs=0.5)


def test_raw_bytes_in() -> None:
    net = Net((1, 8, 8, 3))
    pixels = net.op("Transpose", net.op("Cast", "images", to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    scaled = net.op("Mul", pixels, net.constant(1 / 255))
    source = net.model({net.conv(net.silu(net.conv(scaled, 3, 4, 3)), 4, 2): (1, 2, 8, 8)}, TensorProto.UINT8)
    made = to_fp16(source)
    assert made.graph.node[0].op_type == "Cast"
    assert made.graph.node[0].attribute[0].i == TensorProto.FLOAT16
    assert lint(made) == []
    feed = {"images": np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), np.uint8)}
    assert run(made, feed)[0] == pytest.approx(run(source, feed)[0], abs=0.02)


def test_what_leaves_the_range_stays_in_single_precision() -> None:
    net = Net((1, 4))
    masked = net.op("Add", "images", net.constant(-1e9))
    shifted = net.op("Add", masked, net.constant(1e9))
    root = net.op("Sqrt", net.op("Mul", shifted, shifted))
    final = net.linear(net.op("Relu", net.linear(root, 4, 4)), 4, 2)
    source = net.model({final: (1, 2)})
    types = {kind: set() for kind in ("Add", "Sqrt", "Relu")}
    names = {node.name: node.op_type for node in prepared(source).graph.node}
    for name, found in float_types(to_fp16(source)).items():
        if names.get(name) in types:
            types[names[name]] |= found
    assert types == {"Add": {TensorProto.FLOAT}, "Sqrt": {TensorProto.FLOAT}, "Relu": {TensorProto.FLOAT16}}
    relu = next(node for node in prepared(source).graph.node if node.op_type == "Relu")
    wide = Ranges("minmax", 1, {relu.output[0]: (0.0, 50_000.0)})
    assert float_types(to_fp16(source, ranges=wide))[relu.name] == {TensorProto.FLOAT}


def test_int8_with_half_elsewhere(shipped: Path, calibration: Calibration, unseen_feeds: Feeds, tmp_path: Path) -> None:
    model = load(shipped)
    made = quantize_s8_fp16(model, calibration.ranges("minmax"), float_region(model))
    assert metadata(made)["eyehand.precision"] == "int8-s8-fp16"
    assert made.opset_import[0].version >= 19
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    scales = [constants[node.input[1]] for node in made.graph.node if node.op_type == "QuantizeLinear"]
    assert len(scales) == 115
    assert {scale.dtype.name for scale in scales} == {"float16"}
    assert all((scale > 0).all() for scale in scales)
    assert lint(made) == []
    path = save(made, tmp_path / "m.onnx")
    exact, half = OnnxRuntimeBackend(shipped), OnnxRuntimeBackend(path)
    difference = [np.abs(exact.infer(feed)["output0"] - half.infer(feed)["output0"]) for feed in unseen_feeds]
    assert np.mean([d[:, 4:].mean() for d in difference]) < 1e-3


def test_scales_are_rounded_up(tmp_path: Path) -> None:
    path = save(yolo(), tmp_path / "m.onnx")
    model, ranges = load(path), collect_ranges(path, noise())
    single = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in to_fp16(model).graph.initializer  # weights, as they are rounded
    }
    made = quantize_s8_fp16(model, ranges, float_region(model))
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    weights = [node for node in made.graph.node if node.op_type == "QuantizeLinear" and node.input[0] in constants]
    assert len(weights) == 9
    for node in weights:
        values = single[node.input[0]].astype(np.float64)
        assert np.abs(values).max(axis=(1, 2, 3)) == pytest.approx(127 * constants[node.input[1]], rel=2e-3)
        assert (127 * constants[node.input[1]].astype(np.float64) >= np.abs(values).max(axis=(1, 2, 3)) * 0.9995).all()


def test_what_cannot_be_typed_is_refused() -> None:
    model = yolo()
    model.graph.node[0].op_type = "Unheard"
    model.graph.node[0].domain = "somewhere"
    model.opset_import.append(onnx.helper.make_opsetid("somewhere", 1))
    with pytest.raises(BadInput, match=r"type of tensor t0 \(Unheard\) is not known"):
        to_fp16(model)


def test_kinds_of_nodes_are_those_of_the_source() -> None:
    source = transformer()
    count = Counter(node.op_type for node in to_fp16(source).graph.node)
    count.pop("Cast")
    assert count == Counter(node.op_type for node in source.graph.node)
