"""NVIDIA's own parser and strongly typed builder on the graphs that we make: each is built, or refused with a reason.

TensorRT-RTX builds on a machine without a GPU; it cannot run what it built there. It is downloaded for these tests
alone (146 MB), and only where they are asked for.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest

from deploy.model_store import ModelStore
from deploy.quantize.lint import lint
from tests.deploy.tensorrt import fake_parser, rtx_build, rtx_graphs
from tests.deploy.tensorrt.contract_wheels import unpacked

ROOT = Path(__file__).resolve().parents[3]
RTX = ("onnxruntime-ep-nv-tensorrt-rtx-cu13==0.5.0", "tensorrt-rtx-cu13-bindings==1.7.1.116")
TAKES_MODEL = (rtx_graphs.unsigned, rtx_graphs.transposed_first)
GOOD = ("fp32", "fp16", "int8-s8", "int8-s8-fp16", "fp32, baked", "int8-s8-fp16, baked")
ARTIFACTS = sorted(
    path.relative_to(ROOT)
    for path in (ROOT / "deploy" / "models").glob("*/model*.onnx")
    if path.name in ("model.onnx", "model.fp16.onnx", "model.int8-s8.onnx", "model.int8-s8-fp16.onnx")
)


@pytest.fixture(scope="module")
def site() -> Path:
    return unpacked(*RTX, size_mb=146)


@pytest.fixture(scope="module")
def shipped() -> Path:
    return ModelStore((ROOT / "deploy" / "models",)).find("tabletop-yolov8n").onnx_path


@pytest.fixture(scope="module")
def graphs(shipped: Path) -> dict[str, onnx.ModelProto]:
    refused = {name: make(shipped) if make in TAKES_MODEL else make() for name, (make, _) in rtx_graphs.BAD.items()}
    accepted = rtx_graphs.good(shipped) | {name: make() for name, make in rtx_graphs.TWINS.items()}
    return accepted | refused


@pytest.fixture(scope="module")
def built(
    site: Path, graphs: dict[str, onnx.ModelProto], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What became of each, in one process."""
    folder = tmp_path_factory.mktemp("graphs")
    files = {}
    for number, (name, model) in enumerate(graphs.items()):
        files[name] = folder / f"{number}.onnx"
        onnx.save(model, str(files[name]))
    return build(site, {**files, **{str(path): ROOT / path for path in ARTIFACTS}})


def build(site: Path, files: dict[str, Path]) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, rtx_build.__file__, str(site), *map(str, files.values())],
        capture_output=True, text=True, check=False, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(zip(files, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("name", [*GOOD, *rtx_graphs.TWINS])
def test_what_we_make_is_built(built: dict[str, dict[str, Any]], name: str) -> None:
    assert built[name]["ok"], built[name]
    assert built[name]["bytes"] > 1000


@pytest.mark.parametrize("path", ARTIFACTS, ids=str)
def test_what_we_ship_is_built(built: dict[str, dict[str, Any]], path: Path) -> None:
    assert built[str(path)]["ok"], built[str(path)]


@pytest.mark.parametrize("name", rtx_graphs.BAD)
def test_what_it_does_not_take_is_refused_on_one_line(built: dict[str, dict[str, Any]], name: str) -> None:
    found = built[name]
    assert not found["ok"]
    assert re.search(rtx_graphs.BAD[name][1], found["reason"]), found["reason"]
    assert "\n" not in found["reason"]
    assert len(found["reason"]) < 1000


def test_the_parser_that_stands_for_it_elsewhere_judges_the_same(
    built: dict[str, dict[str, Any]], graphs: dict[str, onnx.ModelProto]
) -> None:
    wrong = {
        name: built[name] for name, model in graphs.items() if bool(fake_parser.refusals(model)) is built[name]["ok"]
    }
    assert wrong == {}


@pytest.mark.parametrize("name", ["int8-u8", "baked, Transpose first", "zero point 3"])
def test_the_lint_of_quantized_graphs_tells_before(graphs: dict[str, onnx.ModelProto], name: str) -> None:
    assert lint(graphs[name]) != []


@pytest.mark.parametrize("name", GOOD)
def test_the_lint_has_nothing_against_what_is_built(graphs: dict[str, onnx.ModelProto], name: str) -> None:
    assert [str(finding) for finding in lint(graphs[name])] == []
