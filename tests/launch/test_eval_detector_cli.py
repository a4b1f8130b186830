"""`eyehand eval detector` on the model that ships."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from deploy.model_store import ModelStore
from deploy.passport import passport_path
from launch.cli import main
from perception.evaluation import LabelledImage, open_labelled
from perception.evaluation.writing import write_coco, write_yolo
from robot.sim.labelled_set import RenderedSet
from robot.sim.render import Renderer, make_renderer
from tests.perception.evaluation.albums import Album

pytest.importorskip("mujoco")
pytest.importorskip("onnxruntime")
pytest.importorskip("pycocotools")
pytest.importorskip("matplotlib")

IMAGES = 6


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return make_renderer()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, renderer: Renderer) -> Path:
    out = tmp_path_factory.mktemp("sets") / "coco"
    write_coco(RenderedSet(renderer, IMAGES, 900_000, "task"), out)
    return out


def evaluated(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    assert main(["eval", "detector", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_figures_of_the_shipped_detector(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value = evaluated(capsys, "--data", str(folder), "--pictures", str(tmp_path / "pictures"))
    assert value["model"] == "tabletop-yolov8n"
    assert "onnxruntime" in value["fingerprint"]
    assert (value["frames"], value["detect_ms"]["n"]) == (IMAGES, IMAGES)
    assert value["map50_95"] > 0.8
    assert value["map50"] > 0.95
    assert set(value["per_class"]) == {"red_cube", "distractor"}
    assert 0.0 < value["detect_ms"]["p50"] <= value["detect_ms"]["p99"]
    counts = np.array(value["confusion"]["counts"])
    assert counts[:-1].sum() == value["objects"]
    assert [Path(file).name for file in value["pictures"]] == ["precision_recall.png", "confusion.png", "figures.json"]
    assert json.loads(Path(value["pictures"][2]).read_text())["metrics"]["map50_95"] == value["map50_95"]
    assert (value["notes"], len(value["frames_sha256"])) == ([], 64)


def test_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "detector", "--data", str(folder)]) == 0
    said = capsys.readouterr()
    for word in ("red_cube", "distractor", "mAP50-95", "detect: p50"):
        assert word in said.out
    assert f"{IMAGES} pictures through tabletop-yolov8n" in said.err


def test_classes_by_name_whatever_their_order(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = evaluated(capsys, "--data", str(folder))
    pictures = [
        LabelledImage(one.name, one.image, one.boxes, 2 - one.class_ids, one.ignore) for one in open_labelled(folder)
    ]
    write_coco(Album(("bowl", "distractor", "red_cube"), *pictures), tmp_path / "other")
    other = evaluated(capsys, "--data", str(tmp_path / "other"))
    assert other["per_class"] == pytest.approx(plain["per_class"])
    assert other["frames_sha256"] == plain["frames_sha256"], "the same pictures with the same labels"
    assert other["notes"] == [
        "the model does not know bowl: evaluated on the classes that both know, distractor, red_cube"
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--data", "gone"], 2, "gone: no such file or folder; expected a YOLO data.yaml"),
        (["--data", "cups"], 2, "the model knows red_cube, distractor, the labels cup: no class in common"),
        (["--data", "bare"], 2, "frames hold no labelled object"),
        (["--data", "cups", "--split", "test"], 2, "no split 'test'"),
        (["--data", "cups", "--model", "nobody"], 2, "model 'nobody' not found"),
    ],
)
def test_refused_in_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    image = np.zeros((60, 80, 3), np.uint8)
    boxes = np.array([[1, 1, 30, 40]], np.float32)
    write_yolo(Album(("cup",), LabelledImage("p", image, boxes, np.zeros(1, np.int32))), tmp_path / "cups")
    nothing = LabelledImage("p", image, np.zeros((0, 4), np.float32), np.zeros(0, np.int32))
    write_yolo(Album(("red_cube",), nothing), tmp_path / "bare")
    assert main(["eval", "detector", *arguments]) == code
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("eyehand: ")
    assert message in last


def test_pictures_that_cannot_be_written_are_refused_before_the_work(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("text")
    assert main(["eval", "detector", "--data", str(folder), "--pictures", str(tmp_path / "file")]) == 2
    error = capsys.readouterr().err
    assert error == f"eyehand: File exists: {tmp_path / 'file'}\n"


def test_an_artifact_by_its_path_is_called_what_it_is(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = ModelStore().find("tabletop-yolov8n-small")
    assert source.passport is not None
    path = tmp_path / "model.int8-u8.onnx"
    path.write_bytes(source.onnx_path.read_bytes())
    source.passport.model_copy(update={"precision": "int8-u8"}).write(passport_path(path))
    assert evaluated(capsys, "--data", str(folder), "--model", str(path))["precision"] == "int8-u8"
