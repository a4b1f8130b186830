"""The builder on a fake TensorRT: what the graph asks for is what the engine computes, or there is no engine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from deploy.errors import BadInput, Missing
from deploy.tensorrt.build import Built, build_engine, report
from deploy.tensorrt.layers import Layer
from deploy.tensorrt.machine import this_machine
from deploy.tensorrt.precision import PrecisionLost, Share, asked_precisions, check_kept, shares
from tests.deploy.tensorrt.fake_tensorrt import VERSIONS, FakeTensorRt, install
from tests.deploy.tensorrt.graphs import write_graph

SHIPPED = Path(__file__).resolve().parents[3] / "deploy/models/tabletop-yolov8n/model.onnx"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTensorRt:
    return install(monkeypatch)


def build(graph: Path, precision: str, **options: Any) -> Built:
    return build_engine(graph, precision, this_machine(), **options)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("kind", "precision", "asked"),
    [
        ("fp16", "fp16", {"/0/Conv": "fp16", "/1/Conv": "fp16"}),
        ("int8", "int8", {"/0/Conv": "int8", "/1/Conv": "fp16"}),
        ("int8-s8", "int8", {"/0/Conv": "int8", "/1/Conv": "fp32"}),
    ],
)
def test_the_engine_computes_in_what_the_graph_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, kind: str, precision: str, asked: dict[str, str]
) -> None:
    install(monkeypatch, version)
    graph = write_graph(tmp_path / "g.onnx", kind)
    assert asked_precisions(onnx.load(str(graph))) == asked
    built = build(graph, precision)
    counts = {name: list(asked.values()).count(name) for name in ("int8", "fp16")}
    assert {part.precision: (part.asked, part.kept, part.others) for part in built.shares} == {
        name: (count, count, ()) for name, count in counts.items() if count
    }
    made = report(built, {"model": "m"})
    assert json.loads(json.dumps(made)) == made
    assert made["model"] == "m"
    assert {node for layer in made["layers"] for node in layer["nodes"]} >= set(asked)
    assert made["warnings"] == ["A warning."]


@pytest.mark.parametrize("lost", ["int8", "fp16"])
def test_an_engine_that_lost_its_precision_is_refused(tmp_path: Path, fake: FakeTensorRt, lost: str) -> None:
    fake.lose = lost
    graph = write_graph(tmp_path / "g.onnx", "int8")
    with pytest.raises(PrecisionLost, match=rf"computes 0 of the 1 nodes in {lost}.* \(fp32\).*nothing was installed"):
        build(graph, "int8")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_network_that_is_not_strongly_typed_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    install(monkeypatch, version).no_flag = True
    with pytest.raises(PrecisionLost, match="0 of the 2 nodes in fp16"):
        build(write_graph(tmp_path / "g.onnx", "fp16"), "fp16")


@pytest.mark.parametrize(
    ("kind", "precision", "words"),
    [
        ("fp32", "fp16", "asks for no fp16: its convolutions and products ask for fp32; make it with eyehand quantize"),
        ("fp16", "int8", "asks for no int8: .* ask for fp16"),
    ],
)
def test_a_graph_that_does_not_ask_for_it_is_refused(
    tmp_path: Path, fake: FakeTensorRt, kind: str, precision: str, words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        build(write_graph(tmp_path / "g.onnx", kind), precision)
    assert fake.parsed == []


def test_the_shipped_model_asks_for_fp32_throughout(fake: FakeTensorRt) -> None:
    asked = asked_precisions(onnx.load(str(SHIPPED)))
    convolutions = [node.name for node in onnx.load(str(SHIPPED)).graph.node if node.op_type == "Conv"]
    assert len(convolutions) > 50
    assert asked == dict.fromkeys(convolutions, "fp32")


def test_nodes_without_a_name_and_products_of_activations() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("Transpose", ["y"], ["t"]),
        helper.make_node("MatMul", ["y", "t"], ["z"], name="attention"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT16, (2, 2))],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT16, (2, 2))],
        [onnx.numpy_helper.from_array(np.eye(2, dtype=np.float16), "w")],
    )
    assert asked_precisions(helper.make_model(graph)) == {"node_of_y": "fp16"}


def test_one_in_ten_may_be_missed() -> None:
    asked = {f"n{i}": "int8" for i in range(20)}
    layers = [Layer(name, "CaskConvolution", (name,), ("int8",), ("int8",), "int8", None) for name in list(asked)[2:]]
    layers.append(Layer("n0", "CaskConvolution", ("n0",), ("fp16",), ("int8",), "fp16", None))
    layers.append(Layer("n1", "Reformat", ("n1",), ("int8",), ("int8",), None, None))
    (found,) = shares(asked, layers)
    assert found == Share("int8", 20, 18, (("n0", "fp16"), ("n1", "absent")))
    check_kept("g", [found])
    worse = Layer("n2", "CaskConvolution", ("n2",), ("fp32",), ("int8",), "fp32", None)
    (found,) = shares(asked, [worse, *layers[1:]])
    with pytest.raises(PrecisionLost, match=r"17 of the 20 .* n0 \(fp16\), n1 \(absent\), n2 \(fp32\): .* 90%"):
        check_kept("g", [found])


@pytest.mark.parametrize(("told", "ok"), [(10, True), (9, False), (0, False)])
def test_an_engine_that_does_not_tell_is_not_believed(told: int, ok: bool) -> None:
    asked = {f"n{i}": "fp16" for i in range(20)}
    layers = [Layer(name, "gemm", (name,), ("fp16",), ("fp16",), None, None) for name in list(asked)[:told]]
    found = shares(asked, layers)
    if ok:
        check_kept("g", found)
    else:
        with pytest.raises(PrecisionLost, match=f"names {told} of the 20 nodes that ask for fp16, .* is not known"):
            check_kept("g", found)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_parser_refuses_is_said_with_node_and_operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    install(monkeypatch, version)
    graph = write_graph(tmp_path / "g.onnx", "int8", zero_point=3)
    words = r"/q_x \(QuantizeLinear\): .*Non-zero zero point is not supported"
    with pytest.raises(BadInput, match=rf"TensorRT {version} cannot parse .*g.onnx: {words}") as caught:
        build(graph, "int8")
    assert "\n" not in str(caught.value)


def test_the_artifact_for_cpus_is_refused(tmp_path: Path, fake: FakeTensorRt) -> None:
    with pytest.raises(BadInput, match="asks for no int8: its convolutions and products ask for fp32"):
        build(write_graph(tmp_path / "g.onnx", "int8-s8", kind=np.uint8), "int8")


def test_only_the_first_reasons_are_told(tmp_path: Path, fake: FakeTensorRt) -> None:
    graph = write_graph(tmp_path / "g.onnx", "fp16")
    model = onnx.load(str(graph))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    for index in range(5):
        model.graph.node.append(
            helper.make_node("MyOp", ["images"], [f"y{index}"], name=f"/mine{index}", domain="mine")
        )
    graph.write_bytes(model.SerializeToString())
    with pytest.raises(BadInput, match=r"/mine0 \(MyOp\): Plugin not.*/mine2 .*; and 2 more$"):
        build(graph, "fp16")


def test_a_workspace_that_is_too_small(tmp_path: Path, fake: FakeTensorRt) -> None:
    fake.needs_mb = 5
    graph = write_graph(tmp_path / "g.onnx", "fp16")
    with pytest.raises(BadInput, match=r"No implementation within workspace of 4194304 bytes.*--workspace-mb 4"):
        build(graph, "fp16", workspace_mb=4)
    assert build(graph, "fp16", workspace_mb=5).content.startswith(b"ftrt")


def test_what_is_no_graph(tmp_path: Path, fake: FakeTensorRt) -> None:
    (tmp_path / "g.onnx").write_bytes(b"\xff\xff not protobuf")
    with pytest.raises(BadInput, match=r"g\.onnx is no ONNX graph"):
        build(tmp_path / "g.onnx", "fp16")


@pytest.mark.parametrize("version", VERSIONS)
def test_timings_are_kept_between_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    install(monkeypatch, version)
    graph = write_graph(tmp_path / "g.onnx", "fp16")
    file = tmp_path / f"cache/eyehand/tensorrt-{version}-Orin-sm8.7.timing"
    assert build(graph, "fp16").timings == f"no timings in {file} yet"
    assert file.read_bytes().count(b"one more build") == 1
    assert build(graph, "fp16").timings.startswith(
        f"{len(file.read_bytes()) - len('; one more build')} bytes of timings"
    )
    assert file.read_bytes().count(b"one more build") == 2
    assert os.listdir(file.parent) == [file.name]  # noqa: PTH208 - names, hidden ones included


@pytest.mark.parametrize("content", [b"timings 8.6 Xavier", b"rubbish"])
def test_timings_of_another_machine_are_measured_again(tmp_path: Path, fake: FakeTensorRt, content: bytes) -> None:
    cache = tmp_path / "my.timing"
    cache.write_bytes(content)
    built = build(write_graph(tmp_path / "g.onnx", "fp16"), "fp16", cache=cache)
    assert "of another machine" in built.timings
    assert cache.read_bytes() == b"timings 10.3.0 Orin; one more build"


def test_a_gpu_that_tensorrt_does_not_know(tmp_path: Path, fake: FakeTensorRt) -> None:
    fake.no_factory = True
    with pytest.raises(Missing, match=r"TensorRT 10\.3\.0 makes no Builder on Orin .*factory function"):
        build(write_graph(tmp_path / "g.onnx", "fp16"), "fp16")
