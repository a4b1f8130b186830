"""Other detectors and engines do the reference task: a word in the configuration is all it takes, and runs replay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.end_to_end.conftest import Eyehand
from tests.perception.red_masks import write_red_masks

# rendering is what takes time here, and half the frames are enough for the task
QUICK = ("--seed", 3, "--json", "--set", "rig.cameras.0.rate_hz=5", "--set", "record.picture_strip=false")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["detector.model=tabletop-rtdetr"], {"model": "tabletop-rtdetr", "precision": "fp32", "file": "model.onnx"}),
        (
            ["detector.backend=openvino", "detector.precision=int8"],
            {"backend": "openvino", "precision": "int8", "file": "model.int8-s8.onnx"},
        ),
    ],
    ids=["rtdetr", "openvino-int8"],
)
def test_it_does_the_task_and_replays(
    eyehand: Eyehand, tmp_path: Path, settings: list[str], expected: dict[str, Any]
) -> None:
    if "openvino" in settings[0]:
        pytest.importorskip("openvino")
    folder = tmp_path / "run"
    given = [part for setting in settings for part in ("--set", setting)]
    done = eyehand("run", *QUICK, "--out", folder, *given)
    assert done.code == 0, done.err
    assert done.json["successes"] == 1
    recorded = yaml.safe_load((folder / "config.yaml").read_text())["detector"]
    assert {key: recorded[key] for key in expected} == expected
    if "openvino" not in settings[0]:  # replays on ONNX Runtime are all over this folder
        return
    again = eyehand("replay", folder, "--json")
    assert again.code == 0, again.err
    assert again.json["identical"] is True
    assert again.json["replay_hash"] == done.json["replay_hash"]


def test_a_segmentation_model_does_it_too_and_replays(eyehand: Eyehand, tmp_path: Path) -> None:
    """Masks are in no recorded byte: a replay finds them again, since it runs the detector again."""
    folder, model = tmp_path / "run", write_red_masks(tmp_path / "red.onnx")
    done = eyehand("run", *QUICK, "--out", folder, "--set", f"detector.model={model}")
    assert done.code == 0, done.err
    assert done.json["successes"] == 1
    again = eyehand("replay", folder, "--json")
    assert again.code == 0, again.err
    assert again.json["identical"] is True
