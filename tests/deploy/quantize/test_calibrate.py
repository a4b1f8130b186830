from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput
from deploy.quantize.calibrate import BINS, METHODS, Calibration, Counts, collect, collect_ranges
from deploy.quantize.graph import save
from tests.deploy.quantize.graphs import Net, noise, yolo


def counted(*blocks: np.ndarray) -> Counts:
    counts = Counts()
    for block in blocks:
        counts.add(block.astype(np.float32))
    return counts


def test_counts_are_those_of_numpy_whatever_the_order() -> None:
    rng = np.random.default_rng(0)
    blocks = [rng.normal(0.0, scale, 5000) for scale in (0.01, 3.0, 0.5, 40.0)]
    orders = [counted(*order) for order in itertools.permutations(blocks)]
    everything = np.concatenate(blocks).astype(np.float32)
    for counts in orders:
        assert counts.limit == 2.0 ** np.ceil(np.log2(np.abs(everything).max()))
        assert counts.bins.sum() == everything.size
        wanted, _ = np.histogram(everything, BINS, (-counts.limit, counts.limit))
        assert np.abs(np.cumsum(counts.bins) - np.cumsum(wanted)).max() <= 3  # values on a border of two bins
        assert (counts.low, counts.high) == (everything.min(), everything.max())


def test_zeros_and_what_is_not_finite() -> None:
    counts = counted(np.zeros(10), np.array([np.inf, np.nan, 2.0]), np.full(3, np.nan))
    assert counts.bins.sum() == 11
    assert (counts.low, counts.high) == (0.0, 2.0)
    assert counts.magnitudes().sum() == 11


def ranges_of(values: np.ndarray) -> dict[str, tuple[float, float]]:
    calibration = Calibration(1, {"x": counted(values)})
    return {method: calibration.ranges(method).by_tensor["x"] for method in METHODS}


def test_an_outlier_is_kept_by_minmax_and_cut_by_the_others() -> None:
    values = np.append(np.random.default_rng(0).normal(size=1_000_000), 60.0)
    found = ranges_of(values)
    assert found["minmax"] == (values.astype(np.float32).min(), 60.0)
    assert 4.0 < found["percentile"][1] < 6.0
    assert 2.5 < found["entropy"][1] < 8.0
    assert found["entropy"][0] >= found["minmax"][0]


def test_a_range_that_is_filled_evenly_is_kept_by_all() -> None:
    found = ranges_of(np.random.default_rng(0).uniform(0.0, 1.0, 500_000))
    for low, high in found.values():
        assert low == pytest.approx(0.0, abs=1e-3)
        assert high == pytest.approx(1.0, abs=0.02)


def test_one_pass_counts_every_tensor_and_the_input(tmp_path: Path) -> None:
    net = Net((1, 2))
    doubled = net.op("Mul", "images", net.constant(2.0))
    path = save(net.model({net.op("Relu", doubled): (1, 2)}), tmp_path / "m.onnx")
    feeds = [{"images": np.array([[-1.0, 0.5]], np.float32)}, {"images": np.array([[3.0, 0.0]], np.float32)}]
    ranges = collect_ranges(path, iter(feeds))
    assert dict(ranges.by_tensor) == {"images": (-1.0, 3.0), doubled: (-2.0, 6.0), "t1": (0.0, 6.0)}
    assert (ranges.method, ranges.frames) == ("minmax", 2)
    assert ranges.sha256 == collect_ranges(path, feeds[::-1]).sha256 != collect_ranges(path, feeds[:1]).sha256


def test_memory_does_not_grow_with_the_frames(tmp_path: Path) -> None:
    path = save(yolo(), tmp_path / "m.onnx")
    alive = 0

    class Watched(dict[str, np.ndarray]):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def feeds() -> object:
        nonlocal alive
        for feed in noise(frames=20):
            alive += 1
            assert alive <= 3
            yield Watched(feed)

    assert collect(path, feeds()).frames == 20  # type: ignore[arg-type]


def test_misuse_is_refused(tmp_path: Path) -> None:
    path = save(yolo(), tmp_path / "m.onnx")
    with pytest.raises(BadInput, match="no calibration frames for"):
        collect(path, [])
    with pytest.raises(BadInput, match="calibration frame 1 does not fit"):
        collect(path, [*noise(frames=1), *noise((1, 3, 16, 16), 1)])
    with pytest.raises(BadInput, match="'mean': expected one of minmax, percentile, entropy"):
        collect(path, noise(frames=1)).ranges("mean")  # type: ignore[arg-type]
