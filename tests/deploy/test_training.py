from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput, Missing
from deploy.export.detector import export_checkpoint
from deploy.export.metadata import describe
from deploy.passport import Passport
from deploy.training import DetectorTraining, train_detector
from deploy.training.detector import class_names
from deploy.training.packaging import Origin, package_detector

HAS_TORCH = importlib.util.find_spec("torch") is not None


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "data.yaml"
    file.write_text("path: .\ntrain: images/train\nval: images/val\nnames:\n  0: red_cube\n  1: distractor\n")
    return file


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Identity", ["images"], ["output0"])],
        "g",
        [helper.make_tensor_value_info("images", kind, [1, 3, 256, 320])],
        [helper.make_tensor_value_info("output0", kind, [1, 3, 256, 320])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"date": "today", "stride": "32"})
    path = tmp_path / "raw.onnx"
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "epochs = 0: expected at least 1"),
        ({"imgsz": 300}, "imgsz = 300: expected a multiple of 32"),
        ({"imgsz": 32}, "imgsz = 32"),
        ({"width": 0.0}, r"width = 0.0: expected in \(0, 1\]"),
        ({"width": 1.5}, "width = 1.5"),
        ({"architecture": "yolov3"}, "architecture = 'yolov3': expected one of yolov8, yolo11, yolo26, rtdetr"),
        ({"frozen": True}, "frozen = True without weights"),
        ({"data": Path("nowhere/data.yaml")}, "training set nowhere/data.yaml does not exist"),
        ({"weights": Path("nowhere/best.pt")}, "weights nowhere/best.pt do not exist"),
    ],
)
def test_options_are_checked(data: Path, tmp_path: Path, values: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        DetectorTraining(**{"data": data, "out": tmp_path, **values})


@pytest.mark.parametrize(("imgsz", "expected"), [(320, (256, 320)), (640, (480, 640)), (416, (320, 416))])
def test_input_is_a_rectangle(data: Path, tmp_path: Path, imgsz: int, expected: tuple[int, int]) -> None:
    assert DetectorTraining(data, tmp_path, imgsz=imgsz).input_hw == expected


@pytest.mark.parametrize(("epochs", "expected"), [(1, 1), (4, 1), (5, 2), (28, 7)])
def test_the_small_one_goes_on_from_the_best_weights(data: Path, tmp_path: Path, epochs: int, expected: int) -> None:
    full = DetectorTraining(data, tmp_path / "full", epochs=epochs, width=0.25, seed=3)
    with pytest.raises(BadInput, match=r"weights .*best\.pt do not exist"):
        full.small()
    full.checkpoint.parent.mkdir(parents=True)
    full.checkpoint.touch()
    small = full.small()
    assert (small.weights, small.epochs, small.seed, small.width) == (full.checkpoint, expected, 3, 0.25)
    assert small.checkpoint != full.checkpoint
    assert small.input_hw == (160, 192)
    assert small.learning_rate < full.learning_rate


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: {1: b, 0: a}", ("a", "b")),
        ("names: [a, b]", ("a", "b")),
        ("train: x", None),
        ("names: {}", None),
        ("- a", None),
    ],
)
def test_class_names(tmp_path: Path, text: str, names: tuple[str, ...] | None) -> None:
    file = tmp_path / "data.yaml"
    file.write_text(text)
    if names is None:
        with pytest.raises(BadInput, match="names no classes"):
            class_names(file)
    else:
        assert class_names(file) == names


@pytest.mark.skipif(HAS_TORCH, reason="torch is installed")
def test_without_torch_the_extra_is_named(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("YOLO_OFFLINE", "YOLO_AUTOINSTALL", "YOLO_CONFIG_DIR", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "settings"))
    with pytest.raises(Missing, match=r"pip install 'eyehand\[train\]'"):
        train_detector(DetectorTraining(data, tmp_path / "out"))


def test_absent_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"checkpoint .*best.pt does not exist"):
        export_checkpoint(tmp_path / "best.pt", tmp_path / "model.onnx", (256, 320))


def test_metadata_says_how_to_use_the_model(model_file: Path) -> None:
    onnx = pytest.importorskip("onnx")
    describe(model_file, ["red_cube", "distractor"], (256, 320), {"eyehand.note": "x"})
    once = model_file.read_bytes()
    describe(model_file, ["red_cube", "distractor"], (256, 320), {"eyehand.note": "x"})
    assert model_file.read_bytes() == once
    entries = {entry.key: entry.value for entry in onnx.load(str(model_file)).metadata_props}
    assert json.loads(entries["eyehand.classes"]) == ["red_cube", "distractor"]
    assert entries["eyehand.input"] == "1x3x256x320"
    assert entries["eyehand.layout"] == "yolo-raw-cxcywh"
    assert entries["eyehand.letterbox"] == "center-114"
    assert entries["stride"] == "32"
    assert "date" not in entries, "two exports of one checkpoint are equal"


def test_package_refuses_a_model_that_does_not_describe_itself(model_file: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no metadata eyehand\.classes"):
        package_detector(model_file, tmp_path / "m", {}, Origin("d", ("c",), 0, {}))


def test_package(model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.training.packaging._license", lambda: "the licence")
    says = {"eyehand.source": "ab" * 32, "eyehand.made_by": '{"torch": "2.13.0"}'}
    describe(model_file, ["red_cube", "distractor"], (256, 320), says)
    figures = dict.fromkeys(
        ("frames", "map50", "map50_95", "recall", "false_per_frame", "center_p50_px", "center_p90_px"), 0.5
    )
    folder = tmp_path / "my-model"
    passport = package_detector(
        model_file, folder, {"a set": figures}, Origin("Some data.", ("do this",), 7, {"epochs": 3}, "Interim")
    )
    assert Passport.read(folder / "passport.json") == passport
    assert passport.classes == ("red_cube", "distractor")
    assert passport.training == {"commands": ["do this"], "seed": 7, "data": "Some data.", "epochs": 3}
    assert len(passport.sha256) == 64
    assert (passport.source, passport.made_by) == ({"sha256": "ab" * 32}, {"torch": "2.13.0"})
    card = (folder / "README.md").read_text()
    for text in ("# my-model", "**Interim.**", "| a set | 0 | 0.500 |", "Some data.", "do this", "- epochs: 3"):
        assert text in card
    assert "From scratch" in card
    assert (folder / "LICENSE").read_text() == "the licence"
    small = package_detector(model_file, tmp_path / "small", {}, Origin("d", ("c",), 7, {}, start="my-model"))
    assert small.training["start"] == "my-model"
    assert "from the weights of `my-model`" in (tmp_path / "small" / "README.md").read_text()


def test_the_card_of_a_decoder(model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.training.packaging._license", lambda: "the licence")
    describe(model_file, ["red_cube", "distractor"], (256, 320), layout="rtdetr-cxcywh")
    package_detector(model_file, tmp_path / "mine", {}, Origin("d", ("c",), 7, {}, start="my-model"))
    card = (tmp_path / "mine" / "README.md").read_text()
    assert "score and class of each query; no suppression needed" in card
    assert "the decoder from scratch, on the backbone and neck of `my-model`" in card


def brute_force(boxes: np.ndarray, scores: np.ndarray, limit: float) -> list[int]:
    kept: list[int] = []
    for row in np.argsort(-scores, kind="stable"):

        def overlap(other: int, row: int = row) -> float:
            size = np.clip(
                np.minimum(boxes[row, 2:], boxes[other, 2:]) - np.maximum(boxes[row, :2], boxes[other, :2]), 0, None
            )
            inner = size.prod()
            return inner / (
                (boxes[row, 2:] - boxes[row, :2]).prod() + (boxes[other, 2:] - boxes[other, :2]).prod() - inner
            )

        if all(overlap(other) <= limit for other in kept):
            kept.append(int(row))
    return kept


@pytest.mark.train
@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_stand_in_for_torchvisions_suppression(count: int) -> None:
    torch = pytest.importorskip("torch")
    from deploy.training.cpu_torchvision import non_maximum_suppression

    rng = np.random.default_rng(count)
    corner = rng.uniform(0, 60, (count, 2))
    boxes = np.hstack([corner, corner + rng.uniform(5, 40, (count, 2))]).astype(np.float32)
    scores = rng.uniform(0, 1, count).astype(np.float32)
    kept = non_maximum_suppression(torch.from_numpy(boxes), torch.from_numpy(scores), 0.45)
    assert kept.tolist() == brute_force(boxes, scores, 0.45)
