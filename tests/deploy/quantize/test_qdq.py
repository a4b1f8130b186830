from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper

from deploy.errors import BadInput
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.quantize.calibrate import Calibration
from deploy.quantize.graph import float_region, load, save
from deploy.quantize.index import metadata
from deploy.quantize.qdq import Style, count_pairs, quantize
from perception.detector import NetworkDetector
from perception.evaluation import compare
from perception.evaluation.labelled import LabelledImage

Feeds = list[dict[str, np.ndarray]]


def infer(path: Path, feeds: Feeds) -> np.ndarray:
    backend = OnnxRuntimeBackend(path)
    return np.concatenate([backend.infer(feed)["output0"] for feed in feeds])


@pytest.fixture(scope="module")
def artifacts(shipped: Path, calibration: Calibration, tmp_path_factory) -> dict[str, Path]:
    model, folder = load(shipped), tmp_path_factory.mktemp("made")
    keep, ranges = float_region(model), calibration.ranges("minmax")
    return {
        style: save(quantize(model, ranges, style, keep), folder / f"model.int8-{style}.onnx") for style in ("s8", "u8")
    }


@pytest.fixture(params=["s8", "u8"])
def artifact(request: pytest.FixtureRequest, artifacts: dict[str, Path]) -> Path:
    return artifacts[request.param]


def test_outputs_stay_near_the_float_models(shipped: Path, artifact: Path, unseen_feeds: Feeds) -> None:
    wanted, found = infer(shipped, unseen_feeds), infer(artifact, unseen_feeds)
    sure = wanted[:, 4:].max(axis=1) > 0.5
    assert sure.sum() > 20
    score, box = np.abs(found - wanted)[:, 4:].max(axis=1)[sure], np.abs(found - wanted)[:, :4].max(axis=1)[sure]
    assert np.median(score) < 0.03
    assert np.median(box) < 2.0  # few scenes calibrate: hundreds of frames bring it to 0.1 px
    assert np.abs(found - wanted)[:, 4:].mean() < 1e-3


def test_detections_agree(shipped: Path, artifact: Path, pictures: list[LabelledImage]) -> None:
    reference, candidate = (NetworkDetector(OnnxRuntimeBackend(path), confidence=0.5) for path in (shipped, artifact))
    parity = compare(reference, candidate, [picture.image for picture in pictures[4:]])
    assert parity.matched == parity.reference == parity.candidate >= 4
    assert parity.box_px.p50 < 4.0


def test_metadata_is_kept_and_the_precision_named(shipped: Path, artifact: Path) -> None:
    said = metadata(onnx.load(str(artifact)))
    assert said.pop("eyehand.precision") in artifact.name
    assert said == metadata(onnx.load(str(shipped)))


def test_s8_is_what_tensorrt_takes(artifacts: dict[str, Path]) -> None:
    made = load(artifacts["s8"])
    assert count_pairs(made) == 115
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    pairs = [node for node in made.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    for node in pairs:
        zero = constants[node.input[2]]
        assert zero.dtype == np.int8
        assert not zero.any()
    by_channel = [node for node in pairs if constants[node.input[1]].size > 1]
    assert len(by_channel) == 2 * 57
    assert {(a.name, a.i) for node in by_channel for a in node.attribute} == {("axis", 0)}


def test_u8_runs_in_8_bits_up_to_the_head(artifacts: dict[str, Path], tmp_path: Path) -> None:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(str(artifacts["u8"]), options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(str(tmp_path / "optimized.onnx")).graph.node)
    assert kinds["QLinearConv"] == 57
    assert kinds["Conv"] == 6
    assert kinds["QuantizeLinear"] == 1  # the input; nothing goes back and forth
    assert kinds["DequantizeLinear"] == 6  # before the head's last convolutions


@pytest.mark.parametrize("style", ["s8", "u8"])
def test_everything_destroys_the_scores(
    shipped: Path, calibration: Calibration, unseen_feeds: Feeds, tmp_path: Path, style: Style
) -> None:
    model = load(shipped)
    made = quantize(model, calibration.ranges("minmax"), style, float_region(model), everything=True)
    found = infer(save(made, tmp_path / "all.onnx"), unseen_feeds)
    assert infer(shipped, unseen_feeds)[:, 4:].max() > 0.8
    steps = np.unique(found[:, 4:])
    assert len(steps) <= 2  # a score is 0 or one step of a scale that was made for pixels


def test_nodes_stay_in_float_on_demand(shipped: Path, calibration: Calibration) -> None:
    model, ranges = load(shipped), calibration.ranges("minmax")
    keep = float_region(model)
    first = next(node.name for node in model.graph.node if node.op_type == "Conv")
    less = quantize(model, ranges, "s8", keep | {first})
    assert count_pairs(less) == 115 - 2
    with pytest.raises(BadInput, match="float node 'nowhere' is not in the model"):
        quantize(model, ranges, "s8", {"nowhere"})
    with pytest.raises(BadInput, match="no layer is left to quantize"):
        quantize(model, ranges, "s8", {node.name for node in model.graph.node})
    with pytest.raises(BadInput, match="style 's4': expected one of s8, u8"):
        quantize(model, ranges, "s4", keep)  # type: ignore[arg-type]


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    script = tmp_path / "make.py"
    script.write_text(
        "import hashlib\n"
        "from deploy.quantize import calibrate, graph, half, qdq\n"
        "from tests.deploy.quantize.graphs import noise, yolo\n"
        f"path = graph.save(yolo(), r'{tmp_path}/m.onnx')\n"
        "model, ranges = graph.load(path), calibrate.collect_ranges(path, noise(), 'entropy')\n"
        "keep = graph.float_region(model)\n"
        "made = [qdq.quantize(model, ranges, style, keep) for style in ('s8', 'u8')]\n"
        "made += [half.to_fp16(model), half.quantize_s8_fp16(model, ranges, keep)]\n"
        "for model in made:\n"
        "    print(hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest())\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, str(script)],
            env={"PYTHONPATH": str(Path.cwd()), "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert runs[0] == runs[1]
    assert len(set(runs[0].split())) == 4
