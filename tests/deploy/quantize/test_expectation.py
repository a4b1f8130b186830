from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from deploy.quantize.calibrate import collect_ranges
from deploy.quantize.expectation import rewrite_expectations
from deploy.quantize.graph import decoding, float_region, load, output_convolutions, save
from deploy.quantize.half import to_fp16
from deploy.quantize.index import at_opset, metadata, prepared
from deploy.quantize.qdq import count_pairs, quantize
from tests.deploy.quantize.graphs import named, noise, resnet, transformer, yolo


def run(model: onnx.ModelProto, feed: dict[str, np.ndarray]) -> np.ndarray:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"]).run(None, feed)[0]


@pytest.mark.parametrize("opset", [17, 19])
def test_the_numbers_are_the_same(opset: int) -> None:
    source = at_opset(prepared(yolo()), opset)
    made = rewrite_expectations(source)
    assert len(named(made, "Softmax")) == len(named(source, "Softmax")) - 1 == 1  # that of attention stays
    assert metadata(made) == metadata(source)
    for feed in noise():
        assert run(made, feed) == pytest.approx(run(source, feed), rel=1e-5, abs=1e-4)


def test_large_logits_do_not_overflow() -> None:
    source = prepared(yolo(with_attention=False))
    made = rewrite_expectations(source)
    feed = {"images": noise(frames=1)[0]["images"] * np.float32(1e4)}
    wanted, found = run(source, feed), run(made, feed)
    assert np.isfinite(found).all()
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-3)


def test_shipped_detector(shipped: Path, unseen_feeds: list[dict[str, np.ndarray]]) -> None:
    source = load(shipped)
    made = rewrite_expectations(source)
    assert not named(made, "Softmax")
    for feed in unseen_feeds[:2]:
        assert np.abs(run(made, feed) - run(source, feed)).max() < 1e-3
    assert output_convolutions(made) == output_convolutions(source)
    assert set(named(made, "Conv", float_region(made))) == output_convolutions(source)


def test_quantizing_sees_through_it(tmp_path: Path) -> None:
    source, path = prepared(yolo()), save(rewrite_expectations(yolo()), tmp_path / "m.onnx")
    made = load(path)
    ranges = collect_ranges(path, noise())
    pairs = [count_pairs(quantize(model, ranges, "s8", float_region(model))) for model in (source, made)]
    assert pairs[0] == pairs[1] > 0
    assert {"Exp", "MatMul", "Div"} <= {node.op_type for node in made.graph.node if node.name in decoding(made)}
    feed = noise(frames=1)[0]
    assert run(to_fp16(made), feed) == pytest.approx(run(to_fp16(source), feed), rel=1e-3, abs=1e-2)


@pytest.mark.parametrize("make", [transformer, resnet])
def test_what_has_none_is_left_alone(make) -> None:
    assert rewrite_expectations(make()) == prepared(make())


def test_another_axis_is_another_thing() -> None:
    model = yolo(with_attention=False)
    softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
    softmax.attribute[0].i = 2
    assert rewrite_expectations(model) == prepared(model)
