"""TensorRtBackend on a fake GPU: ONNX Runtime's numbers to the bit, all memory given back, and plain refusals."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.backend import Backend, TensorSpec
from deploy.errors import BadInput, Missing
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.passport import passport_path
from deploy.tensorrt.backend import TensorRtBackend
from tests.deploy.tensorrt.fake_cuda import FakeGpu, Status
from tests.deploy.tensorrt.fake_tensorrt import VERSIONS, FakeTensorRt, engine_bytes, install
from tests.deploy.tensorrt.graphs import ORIN, SHAPE, write_graph, write_passport


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTensorRt:
    return install(monkeypatch)


def write_engine(folder: Path, fake: FakeTensorRt, precision: str = "fp16", **header: Any) -> Path:
    """An engine with its passport, and the graph that it was built from."""
    folder.mkdir(exist_ok=True)
    graph = write_graph(folder / "graph.onnx", precision)
    engine = folder / f"model.{precision}.engine"
    engine.write_bytes(engine_bytes(fake, graph.read_bytes(), **header))
    write_passport(
        engine, precision, format="tensorrt", target=ORIN.model_copy(update={"tensorrt": fake.version}),
        source={"sha256": "0", "metadata": {"author": "me", "eyehand.layout": "other"}},
    )  # fmt: skip
    return engine


def images(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(SHAPE, np.float32)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "int8-s8"])
@pytest.mark.parametrize("integrated", [False, True])
def test_numbers_are_those_of_onnx_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, precision: str, integrated: bool
) -> None:
    fake = install(monkeypatch, version, FakeGpu(integrated=integrated))
    engine = write_engine(tmp_path, fake, precision)
    reference = OnnxRuntimeBackend(tmp_path / "graph.onnx")
    for cuda_graph in ("auto", "off"):
        backend: Backend = TensorRtBackend(engine, cuda_graph=cuda_graph)
        assert backend.io_spec == reference.io_spec
        for seed in range(3):
            x = images(seed)
            expected = reference.infer({"images": x})["output0"].copy()
            np.testing.assert_array_equal(backend.infer({"images": x})["output0"], expected)
        backend.close()
        gc.collect()
        assert fake.gpu.alive() == {}


def test_what_it_says_of_itself(tmp_path: Path, fake: FakeTensorRt) -> None:
    engine = write_engine(tmp_path, fake)
    backend = TensorRtBackend(engine)
    assert backend.io_spec.inputs == (TensorSpec("images", SHAPE, "float32"),)
    assert backend.metadata["eyehand.classes"] == '["red_cube", "distractor"]'
    assert backend.metadata["author"] == "me", "of the graph that it was built from"
    assert backend.metadata["eyehand.layout"] == "yolo-raw-cxcywh", "the passport's own word counts"
    plain = TensorRtBackend(engine, cuda_graph="off")
    assert (backend.graph_note, plain.graph_note) == ("CUDA graph", "no CUDA graph: switched off")
    assert backend.fingerprint != plain.fingerprint
    for part in ("sha256:", "tensorrt-10.3.0", "Orin", "sm8.7"):
        assert part in backend.fingerprint


def test_a_gpu_that_shares_the_memory_copies_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, gpu=FakeGpu(integrated=True))
    backend = TensorRtBackend(write_engine(tmp_path, fake))
    backend.infer({"images": images()})
    assert fake.gpu.copies == 0
    assert fake.gpu.alive() == {"host": 2, "streams": 1, "events": 1, "executables": 1, "contexts": 1}


def test_a_graph_is_launched_and_buffers_are_kept(tmp_path: Path, fake: FakeTensorRt) -> None:
    backend = TensorRtBackend(write_engine(tmp_path, fake))
    before, launches, copies = fake.gpu.alive(), fake.gpu.launches, fake.gpu.copies
    addresses = {backend.infer({"images": images(seed)})["output0"].ctypes.data for seed in range(5)}
    assert len(addresses) == 1
    assert (fake.gpu.alive(), fake.gpu.launches, fake.gpu.copies) == (before, launches + 5, copies)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"no_capture": True}, "TensorRT stopped running"),
        ({"wrong_graph": True}, "other numbers"),
        ({"empty_graph": True}, "other numbers"),
        ({"empty_graph": True, "integrated": True}, "other numbers"),
        ({"fails": {"cudaStreamBeginCapture": Status.CAPTURE_UNSUPPORTED}}, "CUDA error 900 while recording"),
        ({"fails": {"cudaStreamEndCapture": Status.CAPTURE_INVALIDATED}}, "CUDA error 901"),
        ({"fails": {"cudaGraphInstantiate": Status.OUT_OF_MEMORY}}, "CUDA error 2 while making a graph"),
    ],
)
def test_where_no_graph_can_be_recorded_it_runs_without_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], why: str
) -> None:
    fake = install(monkeypatch, gpu=FakeGpu(**change))
    engine = write_engine(tmp_path, fake)
    reference = OnnxRuntimeBackend(tmp_path / "graph.onnx").infer({"images": images()})["output0"]
    if "cudaStreamEndCapture" not in fake.gpu.fails:  # there the stream itself stays behind, as on a real one
        backend = TensorRtBackend(engine)
        assert backend.graph_note.startswith("no CUDA graph: ")
        assert why in backend.graph_note
        assert backend.fingerprint.endswith(" no-graph")
        np.testing.assert_array_equal(backend.infer({"images": images()})["output0"], reference)
        backend.close()
        gc.collect()
        assert fake.gpu.alive() == {}
    with pytest.raises(BadInput, match=f"CUDA graph.*{why}.*set cuda_graph to auto"):
        TensorRtBackend(engine, cuda_graph="on")
    gc.collect()
    assert fake.gpu.alive() == {}


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, r"inputs \[\]: expected \['images'\]"),
        ({"images": np.zeros(SHAPE, np.float32), "z": np.zeros(1)}, r"\['images', 'z'\]"),
        ({"images": np.zeros((1, 3, 10, 8), np.float32)}, r"float32\[1, 3, 10, 8\]: expected float32\[1, 3, 8, 10\]"),
        ({"images": np.zeros(SHAPE)}, r"float64\[1, 3, 8, 10\]: expected float32"),
    ],
)
def test_wrong_inputs_are_named(tmp_path: Path, fake: FakeTensorRt, inputs: dict[str, np.ndarray], words: str) -> None:
    backend = TensorRtBackend(write_engine(tmp_path, fake))
    with pytest.raises(BadInput, match=words):
        backend.infer(inputs)


def test_closed_is_closed_and_its_arrays_stay_readable(tmp_path: Path, fake: FakeTensorRt) -> None:
    backend = TensorRtBackend(write_engine(tmp_path, fake))
    kept = backend.infer({"images": images()})["output0"]
    copy = kept.copy()
    backend.close()
    backend.close()
    with pytest.raises(BadInput, match="closed"):
        backend.infer({"images": images()})
    gc.collect()
    assert fake.gpu.alive() == {"host": 1}, "the memory of the array that is still held, and nothing else"
    np.testing.assert_array_equal(kept, copy)
    del kept
    gc.collect()
    assert fake.gpu.alive() == {}


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("cudaHostAlloc", "CUDA error 2 while allocating images .* on the host"),
        ("cudaMalloc", "CUDA error 2 while allocating images .* on the GPU .out of memory"),
        ("cudaStreamCreateWithFlags", "CUDA error 2 while making a stream"),
        ("cudaEventCreateWithFlags", "CUDA error 2 while making an event"),
    ],
)
def test_what_fails_on_the_way_is_said_and_leaves_nothing(
    tmp_path: Path, fake: FakeTensorRt, function: str, words: str
) -> None:
    fake.gpu.fails[function] = Status.OUT_OF_MEMORY
    with pytest.raises(Missing, match=words):
        TensorRtBackend(write_engine(tmp_path, fake))
    gc.collect()
    assert fake.gpu.alive() == {}


def test_a_wrong_address_is_found_by_the_first_inference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeTensorRt
) -> None:
    context = fake.module.IExecutionContext
    right = context.set_tensor_address
    monkeypatch.setattr(context, "set_tensor_address", lambda self, name, memory: right(self, name, memory + 64))
    with pytest.raises(BadInput, match=r"cannot run in TensorRT 10.3.0: CUDA error 700.*illegal address"):
        TensorRtBackend(write_engine(tmp_path, fake))
    gc.collect()
    assert fake.gpu.alive() == {}


@pytest.mark.parametrize(
    ("update", "words"),
    [
        ({"tensorrt": "10.16.1.11"}, "built for TensorRT 10.16.1.11 and this machine has 10.3.0: build it here"),
        ({"gpu": "Thor"}, "built for GPU Thor and this machine has Orin"),
        ({"sm": "11.0"}, "built for compute capability 11.0 and this machine has 8.7"),
    ],
)
def test_an_engine_of_another_machine_is_refused_before_it_is_loaded(
    tmp_path: Path, fake: FakeTensorRt, update: dict[str, str], words: str
) -> None:
    engine = write_engine(tmp_path, fake)
    write_passport(engine, "fp16", format="tensorrt", target=ORIN.model_copy(update=update))
    with pytest.raises(BadInput, match=words):
        TensorRtBackend(engine)
    assert fake.gpu.deserialized == 0


def test_another_file_than_the_passports_is_refused_before_it_is_loaded(tmp_path: Path, fake: FakeTensorRt) -> None:
    engine = write_engine(tmp_path, fake)
    engine.write_bytes(engine.read_bytes() + b"x")
    with pytest.raises(BadInput, match="written for another file"):
        TensorRtBackend(engine)
    assert fake.gpu.deserialized == 0


def test_without_a_passport_it_is_refused(tmp_path: Path, fake: FakeTensorRt) -> None:
    engine = write_engine(tmp_path, fake)
    passport_path(engine).unlink()
    with pytest.raises(BadInput, match=r"no passport model.fp16.engine.passport.json beside it: .*eyehand build"):
        TensorRtBackend(engine)
    graph = tmp_path / "graph.onnx"
    with pytest.raises(BadInput, match=r"no passport graph\.passport\.json"):
        TensorRtBackend(graph)
    write_passport(graph, "fp16")
    with pytest.raises(BadInput, match="is an artifact in onnx: expected a TensorRT engine"):
        TensorRtBackend(graph)


def test_what_tensorrt_refuses_is_said_in_its_words(tmp_path: Path, fake: FakeTensorRt) -> None:
    engine = write_engine(tmp_path, fake, version="10.9.0")
    with pytest.raises(BadInput, match=r"cannot load .*not compatible with this version of TensorRT.*eyehand build"):
        TensorRtBackend(engine)


@pytest.mark.parametrize(
    ("header", "error", "words"),
    [
        ({"format": "CHW32"}, BadInput, "has a packed format"),
        ({"location": "HOST"}, BadInput, "is a shape on the host"),
        ({"huge": True}, Missing, "has no memory to run"),
    ],
)
def test_engines_that_it_cannot_feed_are_refused(
    tmp_path: Path, fake: FakeTensorRt, header: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        TensorRtBackend(write_engine(tmp_path, fake, **header))
    gc.collect()
    assert fake.gpu.alive() == {}


@pytest.mark.parametrize(("said", "words"), [({"input": "1x3x10x8"}, "1x3x10x8"), ({"input_dtype": "uint8"}, "uint8")])
def test_a_passport_of_another_input_is_refused(
    tmp_path: Path, fake: FakeTensorRt, said: dict[str, str], words: str
) -> None:
    engine = write_engine(tmp_path, fake)
    write_passport(engine, "fp16", format="tensorrt", target=ORIN, **said)
    with pytest.raises(BadInput, match=f"says input .*{words}.* and the engine takes 1x3x8x10 float32"):
        TensorRtBackend(engine)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"threads": 0}, "0 threads"), ({"cuda_graph": "yes"}, "cuda_graph 'yes': expected auto, on, off")],
)
def test_wrong_arguments(tmp_path: Path, fake: FakeTensorRt, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        TensorRtBackend(write_engine(tmp_path, fake), **arguments)


def test_a_file_must_be_there(tmp_path: Path, fake: FakeTensorRt) -> None:
    with pytest.raises(BadInput, match=r"does not exist or is a folder: give the path of an \.engine file"):
        TensorRtBackend(tmp_path / "absent.engine")
