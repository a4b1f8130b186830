"""Timing: each figure against a distribution that is known; engines with a known pause against each other."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from deploy.backend import IoSpec, Tensor, TensorSpec
from deploy.errors import BadInput
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.timing import Timing, p99_spread, sample_inputs, time_backend, time_interleaved
from tests.deploy.onnx_models import write_double


class Counted(OnnxRuntimeBackend):
    """A real engine that notes its turns and sleeps."""

    log: list[str]

    def __init__(self, path: Path, name: str, log: list[str], pause_s: float = 0.0) -> None:
        self._name, self.log, self._pause_s = name, [], 0.0
        super().__init__(path)
        self.log, self._pause_s = log, pause_s

    def infer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        self.log.append(self._name)
        assert not self._pause_s or not gc.isenabled()
        time.sleep(self._pause_s)
        return super().infer(inputs)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_double(tmp_path / "m.onnx")


def test_figures() -> None:
    shuffled = np.random.default_rng(0).permutation(np.arange(1, 201) * 1_000_000)
    assert Timing.of(shuffled) == Timing(200, 100.0, 198.0, 100.5, 1.0)
    assert Timing.of([5_000_000]).to_dict() == {"n": 1, "p50_ms": 5.0, "p99_ms": 5.0, "mean_ms": 5.0, "min_ms": 5.0}


def test_a_pause_is_measured_and_warming_up_does_not_count(path: Path) -> None:
    log: list[str] = []
    timing = time_backend(Counted(path, "a", log, 0.003), warmup=5, n=25)
    assert timing.n == 25
    assert 3.0 <= timing.min_ms <= timing.p50_ms <= timing.p99_ms < 100.0
    assert len(log) == 5 + 25 + 3  # one before each block of ten
    assert gc.isenabled()


def test_engines_take_turns(path: Path) -> None:
    log: list[str] = []
    timings = time_interleaved([Counted(path, "a", log), Counted(path, "b", log, 0.002)], warmup=1, n=20)
    assert "".join(log) == "a" + "b" + 2 * (11 * "a" + 11 * "b")
    assert timings[0].p50_ms < 2.0 <= timings[1].min_ms


def test_a_limit_stops_all_at_the_same_number(path: Path) -> None:
    log: list[str] = []
    engines = [Counted(path, "a", log), Counted(path, "b", log, 0.001)]
    timings = time_interleaved(engines, warmup=0, n=100_000, limit_s=0.1)
    assert timings[0].n == timings[1].n
    assert 20 <= timings[0].n <= 100
    assert time_interleaved(engines, warmup=0, n=100_000, limit_s=0.0)[0].n == 20


def test_spread_of_an_engine_against_itself() -> None:
    quiet = np.tile(np.arange(90, 100, dtype=np.int64), 20)
    assert p99_spread(quiet) == 0.0
    disturbed = quiet.copy()
    disturbed[[30, 50]] = 198  # both in turns of an odd number
    assert p99_spread(disturbed) == pytest.approx(1.0)
    assert p99_spread(quiet[:10]) == 0.0


def test_what_is_given_is_what_it_gets(path: Path) -> None:
    with pytest.raises(BadInput, match="float64"):
        time_backend(OnnxRuntimeBackend(path), {"x": np.zeros((2, 3))})
    with pytest.raises(BadInput, match="0 timed inferences"):
        time_backend(OnnxRuntimeBackend(path), n=0)
    assert gc.isenabled()


def test_sample_inputs() -> None:
    spec = IoSpec(
        tuple(TensorSpec(kind, (50, 4), kind) for kind in ("float32", "float16", "uint8", "int8", "int64", "bool")), ()
    )
    tensors = sample_inputs(spec)
    for name, tensor in tensors.items():
        assert (tensor.shape, tensor.dtype) == ((50, 4), np.dtype(name))
        assert np.unique(tensor).size > 1
        assert tensor.min() >= 0
    assert tensors["uint8"].max() > 200
    assert tensors["float32"].max() < 1.0
    np.testing.assert_array_equal(sample_inputs(spec)["float32"], tensors["float32"])
