"""Binding: the same numbers from arrays that are allocated once."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from deploy.backend import IoSpec, TensorSpec
from deploy.errors import Missing
from deploy.onnxruntime_backend import CUDA, OnnxRuntimeBackend, cuda_backend
from deploy.onnxruntime_binding import Binding, page_lock
from tests.deploy.onnx_models import write_double, write_model

MODEL = Path(__file__).resolve().parents[2] / "deploy" / "models" / "tabletop-yolov8n-small" / "model.onnx"


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def test_the_numbers_of_an_unbound_session() -> None:
    reference = OnnxRuntimeBackend(MODEL)
    binding = Binding(session(MODEL), reference.io_spec)
    rng = np.random.default_rng(0)
    for _ in range(2):
        image = {"images": rng.random(reference.io_spec.inputs[0].shape, dtype=np.float32)}
        np.testing.assert_array_equal(binding.run(image)["output0"], reference.infer(image)["output0"])


def test_outputs_are_where_they_were(tmp_path: Path) -> None:
    io_spec = IoSpec((TensorSpec("x", (2, 3), "float32"),), (TensorSpec("y", (2, 3), "float32"),))
    binding = Binding(session(write_double(tmp_path / "m.onnx")), io_spec, pin=True)
    first = binding.run({"x": np.ones((2, 3), np.float32)})["y"]
    second = binding.run({"x": np.arange(12, dtype=np.float32).reshape(2, 6)[:, ::2]})["y"]
    assert np.shares_memory(first, second)
    np.testing.assert_array_equal(second, [[0, 4, 8], [12, 16, 20]])


def test_half_precision(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)]
    path = write_model(tmp_path / "m.onnx", nodes, {"x": (3,)}, {"y": (3,)}, input_type=TensorProto.FLOAT16)
    io_spec = IoSpec((TensorSpec("x", (3,), "float16"),), (TensorSpec("y", (3,), "float32"),))
    y = Binding(session(path), io_spec).run({"x": np.array([0.5, 1, 2], np.float16)})["y"]
    np.testing.assert_array_equal(y, np.array([0.5, 1, 2], np.float32))


def test_pages_stay_locked_until_the_last_view_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int]] = []

    def lock(pointer: ctypes.c_void_p, size: ctypes.c_size_t, flags: ctypes.c_uint) -> int:
        calls.append(("lock", size.value))
        return 0

    runtime = SimpleNamespace(cudaHostRegister=lock, cudaHostUnregister=lambda p: calls.append(("unlock", p.value)))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: runtime)
    array = np.zeros(1000)
    address = array.ctypes.data
    assert page_lock(array)
    view = array[10:]
    del array
    assert calls == [("lock", 8000)]
    del view
    assert calls == [("lock", 8000), ("unlock", address)]


@pytest.mark.skipif(CUDA in onnxruntime.get_available_providers(), reason="this one has CUDA")
def test_without_cuda_the_extra_is_named(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"no CUDAExecutionProvider .*eyehand\[gpu\]"):
        cuda_backend(write_double(tmp_path / "m.onnx"))


@pytest.mark.gpu
@pytest.mark.skipif(CUDA not in onnxruntime.get_available_providers(), reason="needs the extra gpu")
def test_cuda_gives_the_numbers_of_the_cpu() -> None:
    reference, backend = OnnxRuntimeBackend(MODEL), cuda_backend(MODEL)
    assert CUDA in backend.fingerprint
    assert page_lock(np.zeros(1_000_000))
    rng = np.random.default_rng(0)
    for _ in range(3):
        image = {"images": rng.random(reference.io_spec.inputs[0].shape, dtype=np.float32)}
        ours, expected = backend.infer(image)["output0"], reference.infer(image)["output0"]
        np.testing.assert_allclose(ours[:, :4], expected[:, :4], atol=0.02)  # px
        np.testing.assert_allclose(ours[:, 4:], expected[:, 4:], atol=1e-4)
