"""choose: the fastest that is vouched for, with the figures; engines are real ones that pause."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.artifacts import artifact_for, precision_of, takes
from deploy.backend import Tensor
from deploy.candidates import Candidate, Measured, measure
from deploy.errors import BadInput, Missing
from deploy.onnxruntime_backend import OnnxRuntimeBackend, cuda_backend
from deploy.openvino_backend import OpenVinoBackend
from deploy.passport import Passport, file_sha256, passport_path
from deploy.selection import best, choose
from deploy.timing import Timing
from tests.deploy.onnx_models import write_double


class Slow(OnnxRuntimeBackend):
    """A real engine that pauses."""

    def __init__(self, path: Path, threads: int, pause_ms: float, closed: list[str] | None = None) -> None:
        self._pause_s, self._closed = pause_ms / 1e3, closed
        super().__init__(path, threads)

    def infer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        time.sleep(self._pause_s)
        return super().infer(inputs)

    def close(self) -> None:
        if self._closed is not None:
            self._closed.append(self._path.name)
        super().close()


def slow(pause_ms: float | Mapping[str, float], closed: list[str] | None = None) -> Callable[[Path, int], Slow]:
    """Loads engines that pause, all or by file."""

    def load(path: Path, threads: int) -> Slow:
        pause = pause_ms if isinstance(pause_ms, float) else pause_ms[path.name]
        return Slow(path, threads, pause, closed)

    return load


@pytest.fixture
def folder(tmp_path: Path) -> dict[str, Path]:
    """A model with an INT8 artifact for each kind of engine; only those for ONNX Runtime passed the gate."""
    files = {}
    for name in ("model.onnx", "model.int8-u8.onnx", "model.int8-s8.onnx"):
        files[name] = path = write_double(tmp_path / name, (1, 3), {"precision": name})
        passport = Passport(
            name="m", precision=precision_of(name), sha256=file_sha256(path), size_bytes=path.stat().st_size,  # type: ignore[arg-type]
            classes=("a",), input="1x3", letterbox="center-114", color_order="RGB", scale="1/255",
            layout="yolo-raw-cxcywh", parity={"map50_95": 0.8} if "u8" in name else None,
        )  # fmt: skip
        passport.write(passport_path(path))
    return files


def test_the_fastest_is_chosen_with_its_figures(folder: dict[str, Path]) -> None:
    closed: list[str] = []
    choice = choose(folder, {"onnxruntime": slow(12.0, closed), "mine": slow(2.0, closed)}, 1, "fp32", n=30)
    assert (choice.backend, choice.precision, choice.file) == ("mine", "fp32", "model.onnx")
    assert [row.candidate.backend for row in choice.measured] == ["onnxruntime", "mine"]
    assert choice.why.startswith("mine fp32 was chosen by 30 inferences with 1 thread here: p99 ")
    assert ", against onnxruntime fp32 p99 " in choice.why
    assert closed == ["model.onnx", "model.onnx"]
    row = choice.to_dict()["measured"][1]
    assert row["backend"] == "mine"
    assert row["n"] == 30
    assert 2.0 < row["p50_ms"] < 12.0
    assert "threads=1" in row["fingerprint"]


@pytest.mark.parametrize(("int8_ms", "chosen"), [(1.0, "int8-u8"), (9.0, "fp32")])
def test_int8_is_chosen_only_where_it_is_faster(folder: dict[str, Path], int8_ms: float, chosen: str) -> None:
    pauses = {"model.onnx": 5.0, "model.int8-u8.onnx": int8_ms}
    choice = choose(folder, {"onnxruntime": slow(pauses)}, 2, n=20)
    assert choice.precision == chosen
    assert "with 2 threads" in choice.why


def test_an_artifact_that_nobody_vouches_for_is_not_chosen(folder: dict[str, Path]) -> None:
    pauses = {"model.onnx": 5.0, "model.int8-s8.onnx": 0.0}
    choice = choose(folder, {"openvino": slow(pauses)}, 1, n=20)
    assert choice.precision == "fp32"
    assert choice.measured[1].timing is None
    assert "did not pass the gate" in choice.measured[1].reason
    assert ", nothing else runs; not openvino int8-s8: " in choice.why

    path = folder["model.int8-u8.onnx"]
    passport_path(path).unlink()
    with pytest.raises(BadInput, match=r"onnxruntime int8-u8: .*no passport model.int8-u8.passport.json"):
        choose(folder, {"onnxruntime": OnnxRuntimeBackend}, 1, "int8")


def test_another_file_than_the_passports_is_not_chosen(folder: dict[str, Path]) -> None:
    write_double(folder["model.int8-u8.onnx"], (1, 3), {"swapped": "yes"})
    choice = choose(folder, {"onnxruntime": slow({"model.onnx": 3.0, "model.int8-u8.onnx": 0.0})}, 1, n=20)
    assert choice.precision == "fp32"
    assert "was written for another file" in choice.measured[1].reason
    assert "; not onnxruntime int8-u8: passport " in choice.why


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": {"sha256": "00"}}, r"was made from another model than model\.onnx"),
        ({"precision": "int8-s8"}, "is int8-s8 by its passport"),
    ],
)
def test_an_artifact_of_another_model_or_kind_is_not_chosen(
    folder: dict[str, Path], changes: dict[str, Any], words: str
) -> None:
    path = passport_path(folder["model.int8-u8.onnx"])
    Passport.read(path).model_copy(update=changes).write(path)
    choice = choose(folder, {"onnxruntime": slow({"model.onnx": 3.0, "model.int8-u8.onnx": 0.0})}, 1, n=20)
    assert choice.precision == "fp32"
    assert re.search(words, choice.why)


def test_engines_that_are_not_here_are_listed(folder: dict[str, Path]) -> None:
    def broken(path: Path, threads: int) -> OnnxRuntimeBackend:
        raise RuntimeError("driver too old\n  at line 5")

    engines = {"onnxruntime-cuda": cuda_backend, "broken": broken, "openvino": OpenVinoBackend}
    choice = choose(folder, engines, 1, "fp32", n=20)
    assert choice.backend == "openvino"
    assert [row.reason.split(" ", 1)[0] for row in choice.measured] == ["onnxruntime", "RuntimeError:", ""]
    assert "CUDAExecutionProvider" in choice.measured[0].reason


def test_nothing_runs(folder: dict[str, Path]) -> None:
    with pytest.raises(Missing, match="no engine runs the model here: onnxruntime-cuda fp32: onnxruntime"):
        choose(folder, {"onnxruntime-cuda": cuda_backend}, 1, "fp32")
    with pytest.raises(BadInput, match=r"no int8 artifact for mine among model.onnx, .*eyehand quantize"):
        choose(folder, {"mine": OnnxRuntimeBackend}, 1, "int8")
    with pytest.raises(BadInput, match="precision 'int4': expected fp32, fp16, int8 or auto"):
        choose(folder, {"openvino": OpenVinoBackend}, 1, "int4")


def test_an_engine_that_stops_working_stops_nobody(folder: dict[str, Path]) -> None:
    closed: list[str] = []

    class Tired(Slow):
        calls = 0

        def infer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
            self.calls += 1
            if self.calls > 5:
                raise RuntimeError("too hot")
            return super().infer(inputs)

    candidates = [Candidate(name, "model.onnx", folder["model.onnx"]) for name in ("good", "bad")]
    engines = {"good": slow(0.0, closed), "bad": lambda path, threads: Tired(path, threads, 0.0, closed)}
    good, bad = measure(candidates, engines, 1, n=20)
    assert good.timing is not None
    assert (bad.timing, bad.reason) == (None, "RuntimeError: too hot")
    assert len(closed) == 2


def row(name: str, precision: str, p99: float, p50: float, spread: float = 0.0) -> Measured:
    file = "model.onnx" if precision == "fp32" else f"model.{precision}.onnx"
    return Measured(Candidate(name, file, Path(file)), Timing(100, p50, p99, p50, p50), spread)


@pytest.mark.parametrize(
    ("rows", "winner"),
    [
        pytest.param([row("a", "fp32", 10, 5), row("b", "fp32", 9, 8)], "b", id="p99 first"),
        pytest.param([row("a", "fp32", 10, 5), row("b", "fp32", 9.6, 8)], "a", id="p99 within 5 %: p50"),
        pytest.param([row("a", "int8-u8", 9.6, 5), row("b", "fp32", 10, 5.2)], "b", id="both within 5 %: precise"),
        pytest.param([row("a", "fp16", 9.6, 5), row("b", "int8-s8", 9.5, 4.9)], "a", id="fp16 before int8"),
        pytest.param([row("a", "fp32", 10, 9, 0.6), row("b", "fp32", 15, 5)], "b", id="a busy machine: p50"),
        pytest.param([row("a", "fp32", 10, 9, 0.6), row("b", "fp32", 17, 5)], "a", id="busy, but not that busy"),
        pytest.param(
            [Measured(Candidate("a", "model.onnx", Path()), None, reason="no"), row("b", "fp32", 9, 9)], "b", id="one"
        ),
    ],
)
def test_the_rule(rows: list[Measured], winner: str) -> None:
    assert best(rows).candidate.backend == winner
    assert best(rows[::-1]).candidate.backend == winner


@pytest.mark.parametrize(
    ("backend", "precision", "files"),
    [
        ("onnxruntime", "auto", ["model.onnx", "model.int8-u8.onnx"]),
        ("openvino", "int8", ["model.int8-s8.onnx"]),
        ("onnxruntime-cuda", "fp16", ["model.fp16.onnx"]),
        ("tensorrt", "auto", ["model.fp16.engine", "model.int8.engine"]),
        ("tensorrt", "fp32", []),
        ("a user's", "auto", ["model.onnx"]),
    ],
)
def test_artifacts_of_engines(backend: str, precision: str, files: list[str]) -> None:
    assert artifact_for(backend, precision) == files
    assert all(takes(backend, file) for file in files)


def test_engines_take_their_own_kind() -> None:
    assert not takes("tensorrt", "model.onnx")
    assert not takes("openvino", "model.fp16.engine")
    assert np.all([precision_of(file) == "fp32" for file in ("model.onnx", "yolo.v8.onnx", "a.onnx")])
