"""OnnxRuntimeBackend: gives the model's numbers, and says what is wrong with a file that is no such model."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from deploy.backend import Backend, TensorSpec
from deploy.errors import BadInput, Missing
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.sniff import describe_file
from tests.deploy.onnx_models import write_broken_at_run_time, write_constant, write_double, write_model


def test_infer(tmp_path: Path) -> None:
    backend: Backend = OnnxRuntimeBackend(write_double(tmp_path / "m.onnx", metadata={"who": "me"}))
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for factor in (1, 2):  # the second call must not see the first one's values
        outputs = backend.infer({"x": factor * x})
        assert list(outputs) == ["y"]
        np.testing.assert_array_equal(outputs["y"], 2 * factor * x)
    assert backend.metadata == {"who": "me"}
    assert backend.io_spec.inputs == (TensorSpec("x", (2, 3), "float32"),)
    assert backend.io_spec.outputs == (TensorSpec("y", (2, 3), "float32"),)
    assert str(backend.io_spec) == "x float32[2, 3] -> y float32[2, 3]"


def test_views_with_gaps_are_read_right(tmp_path: Path) -> None:
    backend = OnnxRuntimeBackend(write_double(tmp_path / "m.onnx"))
    x = np.arange(24, dtype=np.float32).reshape(4, 6)[::2, ::2]
    np.testing.assert_array_equal(backend.infer({"x": x})["y"], 2 * x)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, r"inputs \[\]: expected \['x'\]"),
        ({"x": np.zeros((2, 3), np.float32), "z": np.zeros(1)}, r"\['x', 'z'\]"),
        ({"x": np.zeros((3, 2), np.float32)}, r"float32\[3, 2\]: expected float32\[2, 3\]"),
        ({"x": np.zeros((2, 3))}, r"float64\[2, 3\]: expected float32\[2, 3\]"),
    ],
)
def test_wrong_inputs_are_named(tmp_path: Path, inputs: dict[str, np.ndarray], words: str) -> None:
    backend = OnnxRuntimeBackend(write_double(tmp_path / "m.onnx"))
    with pytest.raises(BadInput, match=words):
        backend.infer(inputs)


def test_closed_is_closed(tmp_path: Path) -> None:
    backend = OnnxRuntimeBackend(write_double(tmp_path / "m.onnx"))
    backend.close()
    backend.close()
    with pytest.raises(BadInput, match="closed"):
        backend.infer({"x": np.zeros((2, 3), np.float32)})


def test_fingerprint_changes_with_file_and_threads(tmp_path: Path) -> None:
    first, second = write_double(tmp_path / "a.onnx"), write_double(tmp_path / "b.onnx", metadata={"version": "2"})
    prints = [
        OnnxRuntimeBackend(first).fingerprint,
        OnnxRuntimeBackend(first, threads=2).fingerprint,
        OnnxRuntimeBackend(second).fingerprint,
    ]
    assert len(set(prints)) == 3
    assert prints[0] == OnnxRuntimeBackend(str(first), threads=1).fingerprint
    for part in (hashlib.sha256(first.read_bytes()).hexdigest(), "onnxruntime-", "CPUExecutionProvider", "threads=1"):
        assert part in prints[0]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"PK\x03\x04" + bytes(40), "zip archive.*PyTorch"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"<?xml version='1.0'?><net/>", "OpenVINO"),
        (b"ftrt" + bytes(40), "TensorRT"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(40), "TensorFlow Lite"),
        (b"\x80\x02}q\x00.", "pickle"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"hello, this is no model", "text that begins 'hello"),
        (bytes(range(200, 240)), "40 bytes that begin c8 c9"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_onnx_is_named_with_what_it_is(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "best.onnx"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=rf"{path}: it is .*{found}"):
        OnnxRuntimeBackend(path)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = write_constant(tmp_path / "m.onnx", [np.zeros((1, 6, 100))])
    path.write_bytes(path.read_bytes()[:-200])
    assert "cut short" in describe_file(path)
    with pytest.raises(BadInput, match="cut short, damaged"):
        OnnxRuntimeBackend(path)


@pytest.mark.parametrize("name", ["absent.onnx", "."])
def test_a_file_must_be_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="does not exist or is a folder"):
        OnnxRuntimeBackend(tmp_path / name)


@pytest.mark.parametrize("shape", [("batch", 3), (None, 3)])
def test_dynamic_shapes_are_refused(tmp_path: Path, shape: tuple[object, ...]) -> None:
    with pytest.raises(BadInput, match=r"x of .* dynamic shape.*dynamic=False"):
        OnnxRuntimeBackend(write_double(tmp_path / "m.onnx", shape))


def test_outputs_whose_size_depends_on_the_data_are_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("NonZero", ["x"], ["where"]),
        helper.make_node("Cast", ["where"], ["y"], to=TensorProto.FLOAT),
    ]
    path = write_model(tmp_path / "m.onnx", nodes, {"x": (2, 3)}, {"y": (2, None)})
    with pytest.raises(BadInput, match=r"y of .* dynamic shape"):
        OnnxRuntimeBackend(path)


def test_a_model_that_cannot_run_is_found_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot run in ONNX Runtime: .*Gather"):
        OnnxRuntimeBackend(write_broken_at_run_time(tmp_path / "m.onnx"))


@pytest.mark.parametrize("threads", [0, -2])
def test_threads_must_be_positive(tmp_path: Path, threads: int) -> None:
    with pytest.raises(BadInput, match=f"{threads} threads"):
        OnnxRuntimeBackend(write_double(tmp_path / "m.onnx"), threads=threads)


def test_a_provider_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"no NoSuchProvider .*CPUExecutionProvider.*eyehand\[gpu\]"):
        OnnxRuntimeBackend(write_double(tmp_path / "m.onnx"), provider="NoSuchProvider")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_falls_back_in_silence_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    names = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    with pytest.raises(Missing, match="on CPUExecutionProvider instead of CUDAExecutionProvider"):
        OnnxRuntimeBackend(write_double(tmp_path / "m.onnx"), provider="CUDAExecutionProvider")


def test_without_onnxruntime_both_extras_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(Missing, match=r"eyehand\[cpu\].*eyehand\[gpu\]"):
        OnnxRuntimeBackend(write_double(tmp_path / "m.onnx"))


def test_the_same_bits_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    weights = rng.normal(size=(512, 64)).astype(np.float32)
    path = write_model(tmp_path / "m.onnx", nodes, {"x": (8, 512)}, {"y": (8, 64)}, {"w": weights})
    x = rng.normal(size=(8, 512)).astype(np.float32)
    results = {OnnxRuntimeBackend(path, threads=2).infer({"x": x})["y"].tobytes() for _ in range(3)}
    assert len(results) == 1
