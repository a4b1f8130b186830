"""`eyehand train detector` without its trainer: what it checks first, and what it leaves in the folder."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import BadInput
from deploy.model_store import ModelStore
from deploy.training import DetectorTraining
from launch.cli import main
from robot.sim.dataset import DatasetOptions
from robot.sim.detection_score import DetectionScore

SCORE = DetectionScore(60, 100, 0.9, 0.8, 0.95, 0.1, 1.0, 2.0)


def test_without_the_trainer_it_exits_3_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("YOLO_OFFLINE", "YOLO_AUTOINSTALL", "YOLO_CONFIG_DIR", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "settings"))
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["train", "detector", "--out", str(tmp_path / "new")]) == 3
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "pip install 'eyehand[train]'" in err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("is_file", [True, False])
def test_a_folder_that_holds_something_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], is_file: bool
) -> None:
    out = tmp_path / "there"
    if is_file:
        out.write_text("x")
    else:
        out.mkdir()
        (out / "keep").write_text("x")
    assert main(["train", "detector", "--out", str(out)]) == 2
    assert "exists and is not an empty folder" in capsys.readouterr().err


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[DatasetOptions]:
    """Stand-ins for rendering, training and scoring; what was asked to be rendered."""
    asked: list[DatasetOptions] = []

    def render(options: DatasetOptions) -> Path:
        asked.append(options)
        for split in ("train", "val"):
            (options.out / "images" / split).mkdir(parents=True)
            if split == "train" or options.seed != 13:
                (options.out / "images" / split / "0.jpg").touch()
        (options.out / "data.yaml").write_text("names: [red_cube, distractor]")
        return options.out / "data.yaml"

    def train(options: DetectorTraining) -> Path:
        options.checkpoint.parent.mkdir(parents=True)
        options.checkpoint.touch()
        target = options.out / "model.onnx"
        target.write_bytes(ModelStore().find("tabletop-yolov8n").onnx_path.read_bytes())
        return target

    def load(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr("deploy.training.detector.load_ultralytics", load)
    monkeypatch.setattr("launch.cli.train.require", lambda _module, _extra: None)
    monkeypatch.setattr("robot.sim.dataset.render_dataset", render)
    monkeypatch.setattr("deploy.training.train_detector", train)
    monkeypatch.setattr("deploy.training.start.train_detector", train)
    monkeypatch.setattr("deploy.training.packaging._license", lambda: "the licence")
    monkeypatch.setenv("EYEHAND_NO_EGL", "1")
    return asked


def command(out: Path, **options: Any) -> list[str]:
    given = [part for key, value in options.items() for part in (f"--{key.replace('_', '-')}", str(value))]
    return ["train", "detector", "--out", str(out), *given]


@pytest.mark.parametrize(
    ("score", "status"),
    [(SCORE, "final"), (dataclasses.replace(SCORE, center_p50_px=float("nan")), "It finds nothing yet")],
)
def test_it_leaves_a_model_of_the_store(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rendered: list[DatasetOptions],
    score: DetectionScore,
    status: str,
) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    pytest.importorskip("mujoco")
    monkeypatch.setattr("robot.sim.evaluate_detector.evaluate", lambda *_args, **_options: score)
    out = tmp_path / "mine"
    assert main(command(out, images=40, epochs=2, seed=7)) == 0
    assert (rendered[0].images, rendered[0].seed) == (40, 7)
    passport = ModelStore([tmp_path]).find("mine").passport
    assert passport is not None
    assert passport.status.startswith(status)
    assert (passport.metrics != {}) is (status == "final")
    assert passport.training["commands"] == [f"eyehand train detector --images 40 --epochs 2 --seed 7 --out {out}"]


def test_a_smaller_sibling_of_the_same_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rendered: list[DatasetOptions]
) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    pytest.importorskip("mujoco")
    monkeypatch.setattr("robot.sim.evaluate_detector.evaluate", lambda *_args, **_options: SCORE)
    out, small_out = tmp_path / "mine", tmp_path / "mine-small"
    assert main(command(out, images=40, epochs=6, small_out=small_out)) == 0
    assert len(rendered) == 1, "both are trained on one set"
    full, small = (ModelStore([tmp_path]).find(name).passport.training for name in ("mine", "mine-small"))
    assert full["commands"] == small["commands"]
    assert small["commands"][0].endswith(f"--out {out} --small-out {small_out}")
    assert (full["epochs"], full["imgsz"], full.get("start")) == (6, 320, None)
    assert (small["epochs"], small["imgsz"], small["start"]) == (2, 192, "mine")


@pytest.mark.parametrize(
    ("name", "message"), [("mine", "the same folder as --out"), ("there", "--small-out .* is not an empty folder")]
)
def test_the_siblings_folder_is_checked_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    (tmp_path / "there").touch()
    assert main(command(tmp_path / "mine", small_out=tmp_path / name)) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(("images", "least", "most"), [(24, 0.5, 0.5), (400, 0.04, 0.2), (4000, 0.04, 0.1)])
def test_a_small_set_gives_more_of_its_scenes_to_validation(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rendered: list[DatasetOptions],
    images: int,
    least: float,
    most: float,
) -> None:
    monkeypatch.setattr("launch.cli.train._package", lambda *_arguments, **_options: None)
    assert main(command(tmp_path / "mine", images=images)) == 0
    assert least <= rendered[0].validation_share <= most


def test_an_empty_split_is_said_before_training(
    tmp_path: Path, rendered: list[DatasetOptions], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(tmp_path / "mine", images=12, seed=13)) == 2
    assert "none fell to the val split; render more, or use another seed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "yolo11", "start": "tabletop-yolov8n"}, "a yolo11 starts from scratch; leave --start out"),
        ({"architecture": "rtdetr", "start": "tabletop-yolov8n", "width": 0.2}, "has its own width"),
        ({"architecture": "rtdetr", "start": "nothing"}, "model 'nothing' not found"),
        ({"width": 1.5}, "width = 1.5: expected in (0, 1]"),
    ],
)
def test_a_start_is_checked_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: dict[str, Any], message: str
) -> None:
    assert main(command(tmp_path / "mine", **options)) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "mine").exists()


def test_width_and_architecture_reach_training_and_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rendered: list[DatasetOptions]
) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    pytest.importorskip("mujoco")
    monkeypatch.setattr("robot.sim.evaluate_detector.evaluate", lambda *_args, **_options: SCORE)
    assert main(command(tmp_path / "mine", images=40, epochs=2, architecture="yolo11", width=0.2)) == 0
    passport = ModelStore([tmp_path]).find("mine").passport
    assert passport is not None
    assert (passport.training["architecture"], passport.training["width"]) == ("yolo11", 0.2)
    assert "--architecture yolo11 --width 0.2" in passport.training["commands"][0]


def test_a_start_of_another_kind_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rendered: list[DatasetOptions],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(onnx_path: Path, _target: Path) -> None:
        raise BadInput(f"{onnx_path} is no export of a YOLOv8")

    monkeypatch.setattr("deploy.training.from_onnx.checkpoint_from_onnx", refuse)
    assert main(command(tmp_path / "mine", architecture="rtdetr", start="tabletop-yolov8n")) == 2
    assert "is no export of a YOLOv8" in capsys.readouterr().err
    assert not rendered
    assert not (tmp_path / "mine").exists()
