"""The backbone in 8 bits, on a small network that looks and feels: what is quantized, and when it is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from deploy.errors import BadInput
from deploy.export.pictures import picture
from deploy.passport import file_sha256
from deploy.policy_passport import PolicyPassport
from deploy.timing import Timing
from policy.export.int8 import ARTIFACT, CALIBRATED, JUDGED, Trial, check, try_int8, write_int8_passport
from policy.export.parity import Inputs
from policy.export.pictures import as_input
from policy.features import ACTION, STATE
from policy.spec import METADATA_KEY, ImageSpec
from tests.deploy.onnx_models import write_model
from tests.policy.fake_engine import spec

CAMERA = "observation.images.wrist"
SEES = spec(images=(ImageSpec(CAMERA, "wrist", 24, 24),))
ODD = (1, 16, 7)


def network(path: Path) -> Path:
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> np.ndarray:
        return rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)

    constants = {
        "w0": weights(8, 3, 3, 3), "w1": weights(8, 8, 3, 3), "w2": weights(4, 8, 1, 1),
        "w3": weights(4 * 24 * 24, 112) * 4, "w4": weights(10, 112),
        "flat": np.array([1, 4 * 24 * 24]), "rows": np.array(ODD),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", [CAMERA, "w0"], ["a"], pads=[1, 1, 1, 1], name="first"),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w1"], ["c"], pads=[1, 1, 1, 1], name="second"),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Conv", ["d", "w2"], ["e"], name="projection"),
        helper.make_node("Reshape", ["e", "flat"], ["f"]),
        helper.make_node("MatMul", ["f", "w3"], ["g"], name="attends"),
        helper.make_node("MatMul", [STATE, "w4"], ["h"], name="feels"),
        helper.make_node("Add", ["g", "h"], ["i"], name="sum"),
        helper.make_node("Reshape", ["i", "rows"], [ACTION]),
    ]
    inputs = {STATE: (1, 10), CAMERA: (1, 3, 24, 24)}
    return write_model(path, nodes, inputs, {ACTION: ODD}, constants, {METADATA_KEY: SEES.to_json()})


def frames() -> list[Inputs]:
    rng = np.random.default_rng(1)
    return [
        {STATE: rng.normal(size=(1, 10)).astype(np.float32), CAMERA: as_input(picture((24, 24), i))}
        for i in range(CALIBRATED + JUDGED)
    ]


def test_only_the_backbone_is_quantized(tmp_path: Path) -> None:
    source, inputs = network(tmp_path / "model.onnx"), frames()
    trial = try_int8(tmp_path, replace(SEES, action_min=(-4.0,) * 7, action_max=(4.0,) * 7), inputs)
    assert 0.0 < trial.error < 0.02
    assert trial.error == min(trial.tried.values())
    assert sorted(path.name for path in tmp_path.iterdir()) == [ARTIFACT, "model.onnx"]
    model = onnx.load(tmp_path / ARTIFACT)
    made_by = {name: node.op_type for node in model.graph.node for name in node.output}
    reads = {node.name: [made_by.get(name) for name in node.input] for node in model.graph.node}
    assert reads["first"] == reads["second"] == ["DequantizeLinear", "DequantizeLinear"]
    assert reads["attends"] == ["Reshape", None]
    assert reads["feels"] == [None, None]

    passport = PolicyPassport(
        name="arm", sha256=file_sha256(source), size_bytes=1, inputs={}, outputs={}, policy={"kind": "act"}
    )
    written = write_int8_passport(tmp_path, passport, trial, inputs, "demos", "a processor")
    assert PolicyPassport.read(tmp_path / "model.int8-u8.passport.json") == written
    written.check_file(tmp_path / ARTIFACT)
    assert written.source["sha256"] == passport.sha256
    assert {"attends", "feels", "projection"} <= set(written.float_nodes)
    assert not {"first", "second"} & set(written.float_nodes)
    assert written.calibration is not None
    assert (written.calibration.frames, written.calibration.sources) == (CALIBRATED, ("demos",))
    assert [each.conditions for each in written.latency] == ["in turns with fp32", "fp32, in turns with the artifact"]


def timing(p50_ms: float) -> Timing:
    return Timing(60, p50_ms, p50_ms, p50_ms, p50_ms)


@pytest.mark.parametrize(
    ("error", "fp32_ms", "int8_ms", "pays"),
    [(0.005, 10.0, 5.0, True), (0.005, 10.0, 9.8, False), (0.02, 10.0, 5.0, False), (float("nan"), 10.0, 5.0, False)],
)
def test_it_pays_if_it_is_near_and_faster(error: float, fp32_ms: float, int8_ms: float, pays: bool) -> None:
    assert Trial("minmax", error, {}, timing(fp32_ms), timing(int8_ms)).pays is pays


def test_what_has_no_backbone_is_refused() -> None:
    check(SEES, True)
    for described, has_dataset, words in (
        (spec(), True, "for an ACT that sees pictures"),
        (replace(SEES, kind="diffusion"), True, "for an ACT that sees pictures"),
        (SEES, False, "give a --dataset that holds pictures"),
    ):
        with pytest.raises(BadInput, match=words):
            check(described, has_dataset)
