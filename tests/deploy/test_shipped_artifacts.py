"""What ships beside the detectors is what its passport says, and passed the gate."""

from __future__ import annotations

import pytest

from deploy.gate import Limits
from deploy.model_store import ModelStore, default_search

STORE = ModelStore([default_search()[-1]])
ARTIFACTS = [(name, file) for name in STORE.names() for file in STORE.find(name).artifacts]
YOLO = ("tabletop-yolov8n", "tabletop-yolov8n-small")


def test_the_default_detectors_have_every_artifact() -> None:
    for name in YOLO:
        assert set(STORE.find(name).artifacts) == {
            "model.fp16.onnx", "model.int8-s8-fp16.onnx", "model.int8-s8.onnx", "model.int8-u8.onnx",
        }  # fmt: skip


@pytest.mark.parametrize(("name", "file"), ARTIFACTS)
def test_an_artifact_is_what_its_passport_says(name: str, file: str) -> None:
    model = STORE.find(name)
    path, passport = model.artifact(file)
    assert passport is not None
    assert path.name == f"model.{passport.precision}.onnx"
    assert passport.source["sha256"] == model.sha256
    assert passport.license == "AGPL-3.0-only"
    assert passport.latency
    assert passport.parity is not None
    limits = Limits()
    assert passport.parity["reference_map50_95"] - passport.parity["map50_95"] <= limits.map_drop
    assert min(passport.parity["class_delta"].values()) >= -limits.class_drop
    assert (passport.calibration is not None) == passport.precision.startswith("int8")
    assert passport.speed == ("verified" if passport.precision == "int8-u8" else "unverified on target")
