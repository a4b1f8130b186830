"""`eyehand build` from end to end on a fake GPU: what is built, judged, timed, shipped and kept out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.model_store import ModelStore
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.passport import Passport, file_sha256, passport_path
from deploy.tensorrt.backend import TensorRtBackend
from launch.building import flow, order
from launch.cli import main
from tests.deploy.tensorrt.fake_cuda import FakeGpu, Status
from tests.deploy.tensorrt.fake_tensorrt import VERSIONS, FakeTensorRt, install
from tests.deploy.tensorrt.graphs import SHAPE, write_graph, write_passport, write_store
from tests.deploy.tensorrt.pictures import UNSEEN, write_pictures

ANCHORS = SHAPE[2] * SHAPE[3]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTensorRt:
    monkeypatch.chdir(tmp_path)
    for name in ("CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setattr(flow, "N", 60)
    monkeypatch.setattr(order, "machine_facts", lambda: {"power_mode": "MAXN"})
    return install(monkeypatch)


@pytest.fixture
def judged(tmp_path: Path) -> tuple[str, str]:
    """Arguments: pictures on which all detectors are equally good."""
    return "--data", str(write_pictures(tmp_path / "unseen", labels=UNSEEN))


def answer(*boxes: tuple[float, float, float, float, int]) -> np.ndarray:
    """Output of a detector that finds boxes: centre, size, class."""
    raw = np.zeros((1, 6, ANCHORS), np.float32)
    for column, (x, y, width, height, class_id) in enumerate(boxes):
        raw[0, :4, column] = x, y, width, height
        raw[0, 4 + class_id, column] = 0.9
    return raw


RIGHT = answer((3, 3, 4, 4, 0), (7, 5, 4, 4, 1))
WRONG = answer((3, 3, 4, 4, 0), (5, 5, 4, 4, 1))


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[dict[str, Any], str]:
    found = main(["build", *arguments, "--json"])
    out, err = capsys.readouterr()
    assert found == code, err
    return (json.loads(out) if out else {}), err


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_an_engine_is_built_proved_timed_and_found_by_the_store(
    tmp_path: Path,
    fake: FakeTensorRt,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    judged: tuple[str, str],
    version: str,
    precision: str,
) -> None:
    install(monkeypatch, version).slow = {"fp16": 0.003}
    folder = write_store(tmp_path / "models/cube", "fp16", "int8")
    said, _ = run(capsys, "cube", "--precision", precision, *(judged if precision == "int8" else ()))
    assert (said["asked"], said["shipped"], said["note"]) == (precision, precision, "")
    assert said["target"] == {
        "gpu": "Orin", "sm": "8.7", "tensorrt": version, "cuda": "12.6", "power_mode": "MAXN"
    }  # fmt: skip

    model = ModelStore().find("cube")
    path, passport = model.artifact(f"model.{precision}.engine")
    assert passport is not None
    assert (str(path), passport.format) == (str(Path(said["engine"])), "tensorrt")
    assert passport.precision == {"fp16": "fp16", "int8": "int8-s8-fp16"}[precision]
    assert passport.speed == {"fp16": "measured on target", "int8": "verified"}[precision]
    assert passport.parity is not None
    if precision == "fp16":
        assert passport.status.startswith("accuracy on this machine not measured")
        assert passport.parity == {"share": 1.0, "engine": "onnxruntime", "of": "model.fp16.onnx"}
    else:
        assert (passport.status, passport.parity["engine"], passport.parity["frames"]) == ("final", "tensorrt", 4)
    assert (passport.latency[0].machine, passport.latency[0].n) == ("Orin", 60)
    turns = ", in turns with fp16" if precision == "int8" else ""
    assert passport.latency[0].conditions == f"CUDA graph{turns}, power mode MAXN"
    assert said["engines"][0]["timing"]["p99_ms"] >= said["engines"][0]["timing"]["p50_ms"] > 0
    assert said["engines"][0]["nodes"][precision] == {
        "asked": 2 if precision == "fp16" else 1, "kept": 2 if precision == "fp16" else 1, "others": {}
    }  # fmt: skip

    layers = json.loads((folder / f"model.{precision}.layers.json").read_text())
    assert (layers["model"], layers["tensorrt"], layers["precision"]) == (
        "cube", version, said["engines"][0]["nodes"]
    )  # fmt: skip
    assert all({"layer", "type", "inputs", "outputs", "tactic"} <= layer.keys() for layer in layers["layers"])

    x = {"images": np.random.default_rng(1).random(SHAPE, np.float32)}
    graph = model.artifact(f"model.{passport.precision}.onnx")[0]
    backend = TensorRtBackend(path)
    np.testing.assert_array_equal(backend.infer(x)["output0"], OnnxRuntimeBackend(graph).infer(x)["output0"])
    assert backend.metadata["author"] == "me"
    assert not [file.name for file in folder.iterdir() if file.name.startswith(".") or "part" in file.name]


def test_int8_that_is_not_faster_ships_fp16(
    tmp_path: Path, fake: FakeTensorRt, capsys: pytest.CaptureFixture[str], judged: tuple[str, str]
) -> None:
    folder = write_store(tmp_path / "models/cube", "fp16", "int8")
    run(capsys, "cube", "--precision", "int8", *judged)  # a machine on which it pays, or not: it is there or is not
    (folder / "model.int8.engine").write_bytes(b"an older one")
    fake.slow = {"int8": 0.004}
    said, err = run(capsys, "cube", "--precision", "int8", *judged)
    assert said["shipped"] == "fp16"
    assert "int8 is not faster than fp16 here" in said["note"]
    assert "ship fp16" in err
    assert said["note"].endswith("the older int8 engine was taken away")
    assert sorted(file.name for file in folder.glob("*.engine")) == ["model.fp16.engine"]
    assert not passport_path(folder / "model.int8.engine").exists()
    assert Passport.read(passport_path(folder / "model.fp16.engine")).precision == "fp16"


def test_an_fp16_engine_that_is_there_is_timed_again_and_not_built_again(
    tmp_path: Path, fake: FakeTensorRt, capsys: pytest.CaptureFixture[str], judged: tuple[str, str]
) -> None:
    folder = write_store(tmp_path / "models/cube", "fp16", "int8")
    fake.slow = {"fp16": 0.003}
    run(capsys, "cube", "--precision", "fp16")
    before, built = (folder / "model.fp16.engine").read_bytes(), fake.built
    said, _ = run(capsys, "cube", "--precision", "int8", *judged)
    assert (said["shipped"], fake.built) == ("int8", built + 1)
    assert (folder / "model.fp16.engine").read_bytes() == before
    (folder / "model.fp16.engine").write_bytes(b"damaged")
    _, err = run(capsys, "cube", "--precision", "int8", *judged)
    assert fake.built == built + 3
    assert "model.fp16.engine is built again: passport" in err


def test_an_fp16_engine_of_an_older_graph_is_built_again(
    tmp_path: Path, fake: FakeTensorRt, capsys: pytest.CaptureFixture[str], judged: tuple[str, str]
) -> None:
    folder = write_store(tmp_path / "models/cube", "fp16", "int8")
    run(capsys, "cube", "--precision", "fp16")
    graph = write_graph(folder / "model.fp16.onnx", "fp16", channels=5)
    write_passport(graph, "fp16", ModelStore().find("cube").sha256)
    fake.slow, built = {"int8": 0.004}, fake.built
    said, _ = run(capsys, "cube", "--precision", "int8", *judged)
    assert (said["shipped"], fake.built) == ("fp16", built + 2)
    passport = Passport.read(passport_path(folder / "model.fp16.engine"))
    assert passport.source["graph_sha256"] == file_sha256(graph)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_the_gate_lets_through_what_is_as_good(
    tmp_path: Path, fake: FakeTensorRt, capsys: pytest.CaptureFixture[str], precision: str
) -> None:
    fake.slow = {"fp16": 0.003}
    folder = write_store(
        tmp_path / "models/cube", "fp16", "int8", answers={"fp32": RIGHT, "fp16": RIGHT, "int8": RIGHT}
    )
    said, _ = run(capsys, "cube", "--precision", precision, "--data", str(write_pictures(tmp_path / "set")))
    assert said["shipped"] == precision
    assert said["reference_map50_95"] == pytest.approx(1.0)
    passport = Passport.read(passport_path(folder / f"model.{precision}.engine"))
    assert passport.status == "final"
    assert passport.parity is not None
    assert passport.parity["map50_95"] == pytest.approx(1.0)
    assert (passport.parity["engine"], passport.parity["frames"]) == ("tensorrt", 4)
    assert passport.parity["class_delta"] == {"red_cube": 0.0, "distractor": 0.0}


def test_the_gate_refuses_what_is_worse_and_nothing_is_installed(
    tmp_path: Path, fake: FakeTensorRt, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_store(
        tmp_path / "models/cube", "fp16", "int8", answers={"fp32": RIGHT, "fp16": RIGHT, "int8": WRONG}
    )
    before = sorted(file.name for file in folder.iterdir())
    data = str(write_pictures(tmp_path / "set"))
    said, err = run(capsys, "cube", "--precision", "int8", "--data", data, code=1)
    assert (said["shipped"], said["engine"]) == (None, None)
    assert any("mAP50-95 of distractor falls from 100.0" in reason for reason in said["engines"][0]["verdict"])
    assert err.splitlines()[-1].startswith("eyehand: int8 is refused: mAP50-95 falls from 100.0 to")
    assert err.splitlines()[-1].endswith("nothing was installed")
    assert sorted(file.name for file in folder.iterdir()) == before


def test_int8_that_cannot_be_judged_is_refused_before_it_is_built(
    tmp_path: Path, fake: FakeTensorRt, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_store(tmp_path / "models/cube", "fp16", "int8")
    before = sorted(file.name for file in folder.iterdir())
    said, err = run(capsys, "cube", "--precision", "int8", code=2)
    assert (said, err.count("\n"), fake.built) == ({}, 1, 0)
    assert "give labelled images or a labelled bag to judge it on with --data" in err
    assert sorted(file.name for file in folder.iterdir()) == before
    run(capsys, "cube", "--precision", "fp16")


def test_an_engine_that_lost_its_precision_is_not_installed(
    tmp_path: Path, fake: FakeTensorRt, capsys: pytest.CaptureFixture[str], judged: tuple[str, str]
) -> None:
    fake.lose = "int8"
    folder = write_store(tmp_path / "models/cube", "fp16", "int8")
    before = sorted(file.name for file in folder.iterdir())
    _, err = run(capsys, "cube", "--precision", "int8", *judged, code=1)
    assert "computes 0 of the 1 nodes in int8" in err
    assert sorted(file.name for file in folder.iterdir()) == before


def test_without_the_mixed_graph_the_plain_one_is_built_and_without_fp16_nothing_is_compared(
    tmp_path: Path, fake: FakeTensorRt, capsys: pytest.CaptureFixture[str], judged: tuple[str, str]
) -> None:
    folder = write_store(tmp_path / "models/cube", "int8-s8")
    said, err = run(capsys, "cube", "--precision", "int8", *judged)
    assert said["engines"][0]["graph"].endswith("model.int8-s8.onnx")
    assert "int8 is not compared with fp16: model cube has no model.fp16.onnx" in err
    passport = Passport.read(passport_path(folder / "model.int8.engine"))
    assert (passport.precision, passport.speed) == ("int8-s8", "measured on target, not compared with fp16")


def test_out_and_timing_cache_are_where_they_were_asked_for(
    tmp_path: Path, fake: FakeTensorRt, capsys: pytest.CaptureFixture[str]
) -> None:
    write_store(tmp_path / "models/cube", "fp16")
    said, _ = run(capsys, "cube", "--precision", "fp16", "--out", "mine", "--timing-cache", "my.timing")
    assert said["engine"] == "mine/model.fp16.engine"
    assert Path("my.timing").read_bytes().startswith(b"timings 10.3.0 Orin")
    assert not (tmp_path / "cache").exists()


def test_a_packaged_models_engine_goes_to_the_users_folder_and_is_found_there(
    tmp_path: Path, fake: FakeTensorRt, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    packaged = tmp_path / "package"
    write_store(packaged / "cube", "fp16")
    search = [Path("models"), tmp_path / "data/eyehand/models", packaged]
    for module in ("deploy.model_store", "launch.quantizing.install"):
        monkeypatch.setattr(f"{module}.default_search", lambda: search)
    said, _ = run(capsys, "cube", "--precision", "fp16")
    assert said["engine"] == str(tmp_path / "data/eyehand/models/cube/model.fp16.engine")
    assert ModelStore().find("cube").artifact("model.fp16.engine")[0] == Path(said["engine"])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("cube", "--precision", "int8"), 2, "model cube has no model.int8-s8-fp16.onnx"),
        (("cube", "--precision", "fp16", "--data", "nowhere"), 2, "nowhere"),
        (("cube", "--precision", "fp16", "--out", "models/cube/model.onnx"), 2, "is a file: name a folder"),
        (("square", "--precision", "fp16"), 2, "model 'square' not found"),
        (("cube", "--precision", "fp16", "--workspace-mb", "1"), 2, "--workspace-mb 1"),
    ],
)
def test_what_cannot_be_built_is_said_in_one_line(
    tmp_path: Path, fake: FakeTensorRt, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int,
    words: str,
) -> None:  # fmt: skip
    fake.needs_mb = 2
    folder = write_store(tmp_path / "models/cube", "fp16")
    before = sorted(file.name for file in folder.iterdir())
    said, err = run(capsys, *arguments, code=code)
    assert said == {}
    assert words in err.splitlines()[-1]
    assert "Traceback" not in err
    assert sorted(file.name for file in folder.iterdir()) == before


def test_a_new_folder_is_not_left_behind(
    tmp_path: Path, fake: FakeTensorRt, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.lose = "fp16"
    write_store(tmp_path / "models/cube", "fp16")
    run(capsys, "cube", "--precision", "fp16", "--out", "mine", code=1)
    assert not Path("mine").exists()


@pytest.mark.parametrize("lacks", ["tensorrt", "cuda.bindings.runtime", "gpu"])
def test_without_tensorrt_or_gpu_it_exits_3_with_the_remedy(
    tmp_path: Path, fake: FakeTensorRt, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lacks: str
) -> None:
    write_store(tmp_path / "models/cube", "fp16", "int8")
    if lacks == "gpu":
        install(monkeypatch, gpu=FakeGpu(fails={"cudaGetDevice": Status.NO_DEVICE}))
    else:
        monkeypatch.setitem(sys.modules, lacks, None)
    for precision in ("int8", "fp16"):
        _, err = run(capsys, "cube", "--precision", precision, code=3)
        assert err.count("\n") == 1
        assert ("no NVIDIA GPU can be used here" if lacks == "gpu" else "python3-libnvinfer") in err


def test_the_table_for_people(tmp_path: Path, fake: FakeTensorRt, capsys: pytest.CaptureFixture[str]) -> None:
    fake.slow = {"fp16": 0.003}
    write_store(tmp_path / "models/cube", "fp16", "int8", answers={"fp32": RIGHT, "fp16": RIGHT, "int8": RIGHT})
    data = str(write_pictures(tmp_path / "set"))
    assert main(["build", "cube", "--precision", "int8", "--data", data]) == 0
    out = capsys.readouterr().out
    assert "TensorRT 10.3.0 on Orin, compute capability 8.7" in out
    assert "1/1 int8, 1/1 fp16" in out
    assert "100.0" in out
    rows = [line.split() for line in out.splitlines()]
    assert [row[-2:] for row in rows if row[:1] == ["fp16"]] == [["not", "shipped"]]
    assert [row[-1] for row in rows if row[:1] == ["int8"]] == ["shipped"]
