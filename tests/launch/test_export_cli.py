"""`eyehand export detector`: what is refused, and, with the framework, what stands in the folder."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import deploy
from deploy.model_store import ModelStore
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.passport import Passport
from launch.cli import main
from perception.detector import NetworkDetector

SHIPPED = Path(deploy.__file__).parent / "models" / "tabletop-yolov8n" / "model.onnx"
HAS_FRAMEWORK = importlib.util.find_spec("ultralytics") is not None
framework = [
    pytest.mark.train,
    pytest.mark.skipif(not HAS_FRAMEWORK, reason="needs ultralytics: make test-train"),
]


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    assert main(["export", "detector", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("model.onnx", "model.onnx: expected a .pt checkpoint of ultralytics, or a .yaml such as yolo11n.yaml"),
        ("nowhere/best.pt", "checkpoint nowhere/best.pt does not exist"),
        ("nowhere/yolo11n.yaml", "model description nowhere/yolo11n.yaml does not exist"),
    ],
)
def test_weights_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str], weights: str, message: str) -> None:
    assert message in refusal(capsys, weights, "--out", str(tmp_path / "m"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_content(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").touch()
    assert "exists and is not an empty folder" in refusal(capsys, "yolo11n.yaml", "--out", str(tmp_path))


@pytest.mark.skipif(HAS_FRAMEWORK, reason="ultralytics is installed")
def test_without_the_framework(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("YOLO_OFFLINE", "YOLO_AUTOINSTALL", "YOLO_VERBOSE", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "settings"))
    message = refusal(capsys, "yolo11n.yaml", "--out", str(tmp_path / "m"), code=3)
    assert "pip install 'eyehand[train]'" in message
    assert not (tmp_path / "m").exists()


class TestWithTheFramework:
    pytestmark = framework

    @pytest.fixture
    def weights(self, tmp_path: Path) -> Path:
        from deploy.training.from_onnx import checkpoint_from_onnx

        return checkpoint_from_onnx(SHIPPED, tmp_path / "cube.pt")

    def test_a_checkpoint_becomes_a_model_of_the_store(
        self, tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "store" / "cube"
        command = ["export", "detector", str(weights), "--imgsz", "320x256", "--out", str(folder)]
        assert main([*command, "--json"]) == 0
        captured = capsys.readouterr()
        told = json.loads(captured.out)
        assert "can run code when it is loaded" in captured.err
        assert (told["layout"], told["input"], told["letterbox"]) == ("yolo-raw-cxcywh", "1x3x256x320", "center-114")
        assert told["classes"] == ["red_cube", "distractor"]
        assert 0.0 < told["parity"]["box_px"] < 0.01
        assert 0.0 < told["parity"]["score"] < 1e-4
        assert sorted(path.name for path in folder.iterdir()) == ["LICENSE", "README.md", "model.onnx", "passport.json"]
        assert [path.name for path in folder.parent.iterdir()] == ["cube"], "no draft is left"
        model = ModelStore([folder.parent]).find("cube")
        assert model.passport is not None
        assert (model.passport.status, model.passport.license) == ("final", "AGPL-3.0-only")
        assert model.passport.source["name"] == "cube.pt"
        model.passport.check_metadata(OnnxRuntimeBackend(folder / "model.onnx").metadata)

        first = (folder / "model.onnx").read_bytes()
        assert main([*command[:-1], str(tmp_path / "again" / "cube")]) == 0
        assert (tmp_path / "again" / "cube" / "model.onnx").read_bytes() == first, "the same file from the same weights"

    def test_names_and_size_of_the_training(
        self, tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = str(tmp_path / "m")
        assert main(["export", "detector", str(weights), "--classes", "cube,rest", "--bake", "--out", out]) == 0
        passport = Passport.read(tmp_path / "m" / "passport.json")
        assert passport.classes == ("cube", "rest")
        assert (passport.input, passport.input_dtype, passport.scale) == ("1x320x320x3", "uint8", "baked")
        assert "--classes names 3" in refusal(capsys, str(weights), "--classes", "a,b,c", "--out", str(tmp_path / "n"))
        assert "a name appears twice" in refusal(capsys, str(weights), "--classes", "a,a", "--out", str(tmp_path / "n"))

    def test_random_weights_depend_on_the_seed(self, tmp_path: Path) -> None:
        outputs = []
        for name, seed in (("a", 0), ("b", 0), ("c", 1)):
            command = ["export", "detector", "yolo26n.yaml", "--seed", str(seed), "--imgsz", "96x64", "--end2end"]
            assert main([*command, "--classes", "x,y", "--out", str(tmp_path / name)]) == 0
            detector = NetworkDetector(OnnxRuntimeBackend(tmp_path / name / "model.onnx"))
            assert (detector.layout, detector.class_names) == ("yolo-end2end-xyxy", ("x", "y"))
            outputs.append(detector.infer(np.full((1, 3, 64, 96), 0.3, np.float32))["output0"])
        np.testing.assert_array_equal(outputs[0], outputs[1])
        assert np.abs(outputs[0] - outputs[2]).max() > 0.01
        passport = Passport.read(tmp_path / "c" / "passport.json")
        assert passport.status == "Random weights: it finds nothing"
        assert passport.source["seed"] == 1

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["yolo11n-cls.yaml"], "for the task 'classify' with the head Classify: expected one of Detect, v10Detect"),
            (["yolo11n-pose.yaml"], "head Pose"),
            (["yolo11n-obb.yaml"], "head OBB"),
            (["yolo99n.yaml"], "no such file, and no such model in ultralytics"),
            (["yolov8n.yaml", "--imgsz", "330x250"], "--imgsz 330x250: expected multiples of 32"),
            (["yolov8n.yaml", "--imgsz", "9984"], "up to 4096; the nearest is 4096x4096"),
            (["yolov8n.yaml", "--end2end"], "leave --end2end out"),
            (["yolov8n-seg.yaml", "--end2end"], "leave --end2end out"),
            (["yolov8n-rtdetr.yaml", "--end2end"], "leave --end2end out"),
            (["yolov8n-rtdetr.yaml", "--opset", "15"], "--opset 15: expected 16..20 for RTDETRDecoder"),
            (["yolov8n.yaml", "--opset", "21"], "--opset 21: expected 13..20 for Detect"),
        ],
    )
    def test_what_does_not_suit(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
    ) -> None:
        assert message in refusal(capsys, *arguments, "--out", str(tmp_path / "m"))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("noise.pt", b"noise", "is no checkpoint that ultralytics"),
            ("list.yaml", b"[1, 2]", "list.yaml"),
            ("broken.yaml", b"a: [", "cannot be read"),
            ("other.yaml", b"names: [a]", "expected backbone and head"),
            (
                "layer.yaml",
                b"nc: 1\nbackbone:\n  - [-1, 1, Nothing, [8]]\nhead:\n  - [[0], 1, Detect, [nc]]",
                "cannot build",
            ),
        ],
    )
    def test_files_that_are_something_else(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, message: str
    ) -> None:
        (tmp_path / name).write_bytes(content)
        assert message in refusal(capsys, str(tmp_path / name), "--out", str(tmp_path / "m"))
        assert [path.name for path in tmp_path.iterdir()] == [name]

    def test_a_pickle_that_would_run_code_does_not(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        import torch
        from ultralytics.nn import tasks

        if not hasattr(tasks, "SAFE_LOAD"):
            pytest.skip("this ultralytics loads whatever a pickle says")

        class Touch:
            def __reduce__(self) -> tuple[object, tuple[str]]:
                return Path.touch, (tmp_path / "ran",)

        torch.save({"model": Touch()}, tmp_path / "evil.pt")
        assert "is no checkpoint" in refusal(capsys, str(tmp_path / "evil.pt"), "--out", str(tmp_path / "m"))
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize(
        ("weights", "more", "layout"),
        [
            ("yolov8n-seg.yaml", [], "yolo-raw-cxcywh-masks"),
            ("yolo11n-seg.yaml", ["--bake"], "yolo-raw-cxcywh-masks"),
            ("yolo26n-seg.yaml", [], "yolo-raw-cxcywh-masks"),
            ("yolo26n-seg.yaml", ["--end2end"], "yolo-end2end-xyxy-masks"),
        ],
    )
    def test_a_segmentation_model_is_proved_with_its_masks(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], weights: str, more: list[str], layout: str
    ) -> None:
        out = tmp_path / "m"
        command = ["export", "detector", weights, "--imgsz", "96x64", "--classes", "x,y", "--out", str(out), "--json"]
        assert main([*command, *more]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["layout"] == layout
        assert 0.0 < told["parity"]["mask"] < 1e-4
        assert "A segmentation model" in (out / "README.md").read_text()
        detector = NetworkDetector(OnnxRuntimeBackend(out / "model.onnx"), confidence=0.0)
        assert (detector.layout, detector.has_masks) == (layout, True)

    def test_a_file_that_computes_something_else_is_not_installed(
        self, tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import onnx

        from deploy.export import detector

        def export_and_spoil(options: detector.ExportOptions, folder: Path) -> detector.Exported:
            exported = untouched(options, folder)
            model = onnx.load(str(exported.path))
            (bias,) = [entry for entry in model.graph.initializer if entry.name == "model.22.cv3.0.2.bias"]
            bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(1.0), bias.name))
            onnx.save(model, str(exported.path))
            return exported

        untouched = detector.export_detector
        monkeypatch.setattr(detector, "export_detector", export_and_spoil)
        message = refusal(capsys, str(weights), "--imgsz", "96", "--out", str(tmp_path / "m"), code=1)
        assert "does not compute what the framework does" in message
        assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["cube.pt"]
        assert not (tmp_path / "m").exists()
