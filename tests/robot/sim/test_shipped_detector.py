from __future__ import annotations

import functools
import json
from collections.abc import Callable

import pytest

from deploy.model_store import Model, ModelStore
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from perception.detector import NetworkDetector
from perception.evaluation import collect
from perception.evaluation.labelled import LabelledImage
from robot.sim.detection_score import score
from robot.sim.evaluate_detector import main
from robot.sim.labelled_set import RenderedSet
from robot.sim.layout import CLASS_NAMES

pytest.importorskip("onnxruntime")


# Of each model: its input, the least mAP50 and mAP50-95, the most false alarms a frame, the most that centres are off.
MODELS = {
    "tabletop-yolov8n": ("1x3x256x320", 0.95, 0.80, 0.25, 1.5),
    "tabletop-yolov8n-small": ("1x3x160x192", 0.92, 0.75, 0.25, 2.0),
    "tabletop-rtdetr": ("1x3x256x320", 0.90, 0.78, 2.0, 1.5),
}


@pytest.fixture(scope="module", params=list(MODELS))
def model(request: pytest.FixtureRequest) -> Model:
    return ModelStore().find(request.param)


class Kept(list[LabelledImage]):
    """A labelled set that is rendered once for all models."""

    class_names = CLASS_NAMES


Scenes = Callable[[str, str, int], Kept]


@pytest.fixture(scope="module")
def scenes(request: pytest.FixtureRequest) -> Scenes:
    """Pictures by renderer, domain and number."""

    @functools.cache
    def rendered(name: str, domain: str, frames: int) -> Kept:
        return Kept(RenderedSet(request.getfixturevalue(name), frames, 910_000, domain))

    return rendered


def test_folder_is_complete_and_small(model: Model) -> None:
    assert model.passport.sha256 == model.sha256
    assert model.passport.classes == CLASS_NAMES
    assert model.passport.input == MODELS[model.path.name][0]
    assert model.passport.license == "AGPL-3.0-only"
    assert model.passport.training["commands"]
    assert f"{model.sha256}" in model.card
    assert "GNU AFFERO GENERAL PUBLIC LICENSE" in (model.path / "LICENSE").read_text()
    assert sum(file.stat().st_size for file in model.path.iterdir()) < 15e6


@pytest.mark.parametrize(("name", "domain", "frames"), [("egl", "varied", 32), ("raycast", "task", 16)])
def test_finds_the_objects_of_unseen_scenes(scenes: Scenes, model: Model, name: str, domain: str, frames: int) -> None:
    detector = NetworkDetector(OnnxRuntimeBackend(model.onnx_path), confidence=0.001, iou=0.6)
    found = score(collect(detector, scenes(name, domain, frames)))
    assert found.objects > frames
    _, map50, map50_95, false_per_frame, center_p50_px = MODELS[model.path.name]
    assert found.map50 > map50
    assert found.map50_95 > map50_95
    assert found.false_per_frame < false_per_frame
    assert found.center_p50_px < center_p50_px


def test_command_prints_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--frames", "4", "--renderer", "raycast", "--json", "--seed", "5"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["raycast"]["frames"] == 4
    assert main(["--frames", "4", "--renderer", "raycast", "--seed", "5"]) == 0
    assert capsys.readouterr().out.startswith("raycast: frames 4, objects ")
    assert main(["--model", "nothing.onnx"]) == 2
    assert "nothing.onnx" in capsys.readouterr().err
