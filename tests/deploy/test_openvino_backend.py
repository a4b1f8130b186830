"""OpenVinoBackend: the numbers of ONNX Runtime, the model's own metadata, and the same refusals."""

from __future__ import annotations

import gc
import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from deploy.backend import Backend, TensorSpec
from deploy.errors import BadInput, Missing
from deploy.model_store import ModelStore
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.openvino_backend import OpenVinoBackend
from tests.deploy.onnx_models import write_constant, write_double, write_model

pytest.importorskip("openvino", reason="needs the extra openvino")
SHIPPED = ModelStore([Path(__file__).resolve().parents[2] / "deploy" / "models"]).find("tabletop-yolov8n").onnx_path


@pytest.fixture(scope="module")
def shipped() -> OpenVinoBackend:
    return OpenVinoBackend(SHIPPED)


def test_infer(tmp_path: Path) -> None:
    backend: Backend = OpenVinoBackend(write_double(tmp_path / "m.onnx", metadata={"who": "me"}))
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for factor in (1, 2):  # another array each time
        outputs = backend.infer({"x": factor * x})
        assert list(outputs) == ["y"]
        np.testing.assert_array_equal(outputs["y"], 2 * factor * x)
    assert backend.metadata == {"who": "me"}
    assert backend.io_spec.inputs == (TensorSpec("x", (2, 3), "float32"),)
    assert backend.io_spec.outputs == (TensorSpec("y", (2, 3), "float32"),)


def test_an_array_that_is_filled_again_is_read_again(tmp_path: Path) -> None:
    backend = OpenVinoBackend(write_double(tmp_path / "m.onnx"))
    x = np.zeros((2, 3), np.float32)
    for value in (1.0, 2.0, 3.0):
        x[:] = value
        assert (backend.infer({"x": x})["y"] == 2 * value).all()


@pytest.mark.parametrize("kind", ["gaps", "column-major", "read-only"])
def test_arrays_that_cannot_be_bound_are_read_right(tmp_path: Path, kind: str) -> None:
    backend = OpenVinoBackend(write_double(tmp_path / "m.onnx"))
    x = np.arange(24, dtype=np.float32).reshape(4, 6)[::2, ::2]
    if kind == "column-major":
        x = np.asfortranarray(x)
    elif kind == "read-only":
        x = np.ascontiguousarray(x)
        x.flags.writeable = False
    for _ in range(2):
        np.testing.assert_array_equal(backend.infer({"x": x})["y"], 2 * x)
    np.testing.assert_array_equal(backend.infer({"x": np.ones((2, 3), np.float32)})["y"], np.full((2, 3), 2.0))


def test_an_output_outlives_its_engine(tmp_path: Path) -> None:
    backend = OpenVinoBackend(write_double(tmp_path / "m.onnx", (100, 1000)))
    y = backend.infer({"x": np.full((100, 1000), 3.0, np.float32)})["y"]
    backend.close()
    del backend
    gc.collect()
    others = [np.zeros((100, 1000), np.float32) for _ in range(20)]
    assert (y == 6.0).all()
    del others


def test_tensors_keep_the_names_that_the_model_gives_them(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Add", ["x", "x"], ["a_first_by_alphabet"]),
        helper.make_node("Identity", ["a_first_by_alphabet"], ["y"]),
    ]
    path = write_model(tmp_path / "m.onnx", nodes, {"x": (2,)}, {"y": (2,)})
    outputs = OpenVinoBackend(path).infer({"x": np.ones(2, np.float32)})
    assert list(outputs) == ["y"] == [spec.name for spec in OnnxRuntimeBackend(path).io_spec.outputs]
    assert (outputs["y"] == 2).all()


@pytest.mark.parametrize("kind", [(TensorProto.UINT8, np.uint8), (TensorProto.FLOAT16, np.float16)])
def test_types_of_inputs(tmp_path: Path, kind: tuple[int, type]) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)]
    path = write_model(tmp_path / "m.onnx", nodes, {"x": (2, 3)}, {"y": (2, 3)}, input_type=kind[0])
    assert (OpenVinoBackend(path).infer({"x": np.full((2, 3), 7, kind[1])})["y"] == 7.0).all()


def test_the_shipped_model_gives_the_numbers_of_onnx_runtime(shipped: OpenVinoBackend) -> None:
    reference = OnnxRuntimeBackend(SHIPPED)
    assert shipped.io_spec == reference.io_spec
    assert shipped.metadata == reference.metadata
    assert "eyehand.classes" in shipped.metadata
    rng = np.random.default_rng(0)
    for _ in range(3):
        image = {"images": rng.random((1, 3, 256, 320), dtype=np.float32)}
        ours, expected = shipped.infer(image)["output0"], reference.infer(image)["output0"]
        np.testing.assert_allclose(ours[:, :4], expected[:, :4], atol=0.02)  # px
        np.testing.assert_allclose(ours[:, 4:], expected[:, 4:], atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_bits_again(threads: int) -> None:
    image = {"images": np.random.default_rng(1).random((1, 3, 256, 320), dtype=np.float32)}
    assert len({OpenVinoBackend(SHIPPED, threads).infer(image)["output0"].tobytes() for _ in range(2)}) == 1


def test_fingerprint(shipped: OpenVinoBackend) -> None:
    import openvino

    other = OpenVinoBackend(SHIPPED, threads=2).fingerprint
    assert other != shipped.fingerprint == OpenVinoBackend(str(SHIPPED), threads=1).fingerprint
    version = openvino.get_version().split("-")[0]
    for part in (hashlib.sha256(SHIPPED.read_bytes()).hexdigest(), f"openvino-{version}", "CPU", "f32", "threads=1"):
        assert part in shipped.fingerprint


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, r"inputs \[\]: expected \['x'\]"),
        ({"x": np.zeros((3, 2), np.float32)}, r"float32\[3, 2\]: expected float32\[2, 3\]"),
        ({"x": np.zeros((2, 3))}, r"float64\[2, 3\]: expected float32\[2, 3\]"),
    ],
)
def test_wrong_inputs_are_named(tmp_path: Path, inputs: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        OpenVinoBackend(write_double(tmp_path / "m.onnx")).infer(inputs)


def test_closed_is_closed(tmp_path: Path) -> None:
    backend = OpenVinoBackend(write_double(tmp_path / "m.onnx"))
    backend.close()
    backend.close()
    with pytest.raises(BadInput, match="closed"):
        backend.infer({"x": np.zeros((2, 3), np.float32)})


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"PK\x03\x04" + bytes(40), "zip archive.*PyTorch"),
        (b"<?xml version='1.0'?><net/>", "OpenVINO"),
        (b"hello, this is no model", "text that begins 'hello"),
    ],
)
def test_what_is_not_onnx_is_named_and_no_engine_chatters(
    tmp_path: Path, content: bytes, found: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "best.onnx"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=rf"{path} .*: it is .*{found}"):
        OpenVinoBackend(path)
    assert capfd.readouterr() == ("", "")


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = write_constant(tmp_path / "m.onnx", [np.zeros((1, 6, 100))])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BadInput, match="cut short, damaged"):
        OpenVinoBackend(path)


def test_an_operator_that_it_does_not_know_is_named(tmp_path: Path) -> None:
    nodes = [helper.make_node("Nope", ["x"], ["y"])]
    with pytest.raises(BadInput, match=r"OpenVINO cannot load.*Nope"):
        OpenVinoBackend(write_model(tmp_path / "m.onnx", nodes, {"x": (2, 3)}, {"y": (2, 3)}))


def test_a_type_that_numpy_lacks_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)]
    path = write_model(tmp_path / "m.onnx", nodes, {"x": (2, 3)}, {"y": (2, 3)}, input_type=TensorProto.BFLOAT16)
    with pytest.raises(BadInput, match=r"x of .* is bf16: expected a tensor of numbers"):
        OpenVinoBackend(path)


@pytest.mark.parametrize("shape", [("batch", 3), (None, 3)])
def test_dynamic_shapes_are_refused(tmp_path: Path, shape: tuple[object, ...]) -> None:
    with pytest.raises(BadInput, match=r"x of .* dynamic shape.*dynamic=False"):
        OpenVinoBackend(write_double(tmp_path / "m.onnx", shape))


def test_outputs_whose_size_depends_on_the_data_are_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("NonZero", ["x"], ["where"]),
        helper.make_node("Cast", ["where"], ["y"], to=TensorProto.FLOAT),
    ]
    path = write_model(tmp_path / "m.onnx", nodes, {"x": (2, 3)}, {"y": (2, None)})
    with pytest.raises(BadInput, match=r"y of .* dynamic shape"):
        OpenVinoBackend(path)


@pytest.mark.parametrize(("name", "threads", "words"), [("absent.onnx", 1, "does not exist"), (".", 0, "0 threads")])
def test_arguments(tmp_path: Path, name: str, threads: int, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        OpenVinoBackend(tmp_path / name, threads)


def test_without_openvino_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(Missing, match=r"openvino cannot be imported.*eyehand\[openvino\]"):
        OpenVinoBackend(write_double(tmp_path / "m.onnx"))
