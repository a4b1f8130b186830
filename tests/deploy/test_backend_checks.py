"""prove: an engine whose outputs are not what it declares does not start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deploy.backend import IoSpec, TensorSpec
from deploy.backend_checks import prove
from deploy.errors import BadInput
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from tests.deploy.onnx_models import write_double

PATH = Path("m.onnx")


@pytest.fixture
def engine(tmp_path: Path) -> OnnxRuntimeBackend:
    return OnnxRuntimeBackend(write_double(tmp_path / "m.onnx"))


def test_an_honest_engine(engine: OnnxRuntimeBackend) -> None:
    prove(PATH, "engine", engine.io_spec, engine.infer)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (TensorSpec("y", (2, 4), "float32"), r"declares output y float32\[2, 4\] and gave float32\[2, 3\]"),
        (TensorSpec("y", (2, 3), "float16"), r"declares output y float16\[2, 3\] and gave float32\[2, 3\]"),
        (TensorSpec("z", (2, 3), "float32"), r"declares output z float32\[2, 3\] and gave nothing"),
    ],
)
def test_an_engine_that_lies_is_refused(engine: OnnxRuntimeBackend, output: TensorSpec, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        prove(PATH, "engine", replace(engine.io_spec, outputs=(output,)), engine.infer)


def test_an_engine_that_does_not_take_what_it_declares_is_refused(engine: OnnxRuntimeBackend) -> None:
    lie = IoSpec((TensorSpec("x", (5, 3), "float32"),), engine.io_spec.outputs)
    with pytest.raises(BadInput, match=r"m.onnx cannot run in engine: input x is float32\[5, 3\]"):
        prove(PATH, "engine", lie, engine.infer)


def test_zeros_of_the_declared_type(engine: OnnxRuntimeBackend) -> None:
    seen = []
    prove(PATH, "engine", engine.io_spec, lambda inputs: seen.append(dict(inputs)) or engine.infer(inputs))
    assert seen[0]["x"].dtype == np.float32
    assert not seen[0]["x"].any()
