"""The same on a real GPU: engines of the shipped detector, built, asserted and run. Skipped where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput, Missing
from deploy.model_store import ModelStore
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.passport import Passport, file_sha256, passport_path
from deploy.quantize import calibrate, graph, half
from deploy.tensorrt.backend import TensorRtBackend
from deploy.tensorrt.machine import Machine, this_machine
from deploy.timing import time_backend
from launch.cli import main
from tests.deploy.tensorrt.pictures import UNSEEN, write_pictures

SHIPPED = Path(__file__).resolve().parents[3] / "deploy/models/tabletop-yolov8n/model.onnx"

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def machine() -> Machine:
    try:
        return this_machine()
    except Missing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def store(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model with artifacts for TensorRT; calibrated on noise, which is enough to build."""
    folder = tmp_path_factory.mktemp("store") / "models" / "cube"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(SHIPPED.read_bytes())
    shipped = Passport.read(passport_path(SHIPPED))
    shipped.write(passport_path(folder / "model.onnx"))
    model = graph.load(SHIPPED)
    random = np.random.default_rng(0)
    spec = OnnxRuntimeBackend(SHIPPED).io_spec.inputs[0]
    feeds = [{spec.name: random.random(spec.shape).astype(spec.dtype)} for _ in range(4)]
    ranges = calibrate.collect_ranges(SHIPPED, feeds)
    made = {
        "fp16": half.to_fp16(model),
        "int8-s8-fp16": half.quantize_s8_fp16(model, ranges, graph.float_region(model)),
    }
    for precision, artifact in made.items():
        path = graph.save(artifact, folder / f"model.{precision}.onnx")
        update = {
            "precision": precision, "sha256": file_sha256(path), "size_bytes": path.stat().st_size,
            "source": {"name": "model.onnx", "sha256": shipped.sha256},
        }  # fmt: skip
        shipped.model_copy(update=update).write(passport_path(path))
    return folder.parent


@pytest.fixture(scope="module")
def engine(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The FP16 engine, built by the command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(store.parent)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        assert main(["build", "cube", "--precision", "fp16"]) == 0
    return store / "cube" / "model.fp16.engine"


def images(seed: int) -> dict[str, np.ndarray]:
    spec = OnnxRuntimeBackend(SHIPPED).io_spec.inputs[0]
    return {spec.name: np.random.default_rng(seed).random(spec.shape, np.float32)}


def test_fp16_gives_the_numbers_of_its_graph(engine: Path) -> None:
    backend, plain = TensorRtBackend(engine), TensorRtBackend(engine, cuda_graph="off")
    reference = OnnxRuntimeBackend(engine.with_suffix(".onnx"))
    for seed in range(5):
        x = images(seed)
        (expected,) = reference.infer(x).values()
        for found in (backend, plain):
            (output,) = found.infer(x).values()
            np.testing.assert_allclose(output[:, :4], expected[:, :4], atol=2.0)  # boxes [px]
            np.testing.assert_allclose(output[:, 4:], expected[:, 4:], atol=0.02)
    print(f"\n{backend.fingerprint}: {time_backend(backend)}; {plain.graph_note}: {time_backend(plain)}")
    backend.close()
    plain.close()


def test_the_graph_is_recorded(engine: Path) -> None:
    assert TensorRtBackend(engine, cuda_graph="on").graph_note == "CUDA graph"


def test_int8_is_built_with_its_precision_and_shipped_only_if_it_pays(
    engine: Path, store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(store.parent)
    data = write_pictures(store / "set", 256, 320, UNSEEN)
    assert main(["build", "cube", "--precision", "int8", "--data", str(data)]) == 0
    print(capsys.readouterr().out)
    model = ModelStore().find("cube")
    if (shipped := model.artifacts.get("model.int8.engine")) is not None:
        assert Passport.read(passport_path(shipped)).speed == "verified"


def test_an_engine_of_another_version_is_refused(engine: Path, machine: Machine, tmp_path: Path) -> None:
    copy = tmp_path / "model.fp16.engine"
    copy.write_bytes(engine.read_bytes())
    target = machine.target().model_copy(update={"tensorrt": "10.2.0"})
    Passport.read(passport_path(engine)).model_copy(update={"target": target}).write(passport_path(copy))
    with pytest.raises(BadInput, match=r"built for TensorRT 10\.2\.0"):
        TensorRtBackend(copy)


@pytest.mark.jetson
def test_a_jetson_shares_its_memory(engine: Path, machine: Machine) -> None:
    if not machine.device.integrated:
        pytest.skip(f"{machine.device.name} has memory of its own")
    backend = TensorRtBackend(engine)
    assert all(buffer._device == 0 for buffer in backend._buffers.values())
