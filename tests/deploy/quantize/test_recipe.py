from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.quantize.calibrate import collect
from deploy.quantize.graph import float_region, save
from deploy.quantize.index import prepared
from deploy.quantize.recipe import search
from tests.deploy.quantize.graphs import noise, yolo


@dataclass(frozen=True)
class Accuracy:
    map50_95: float


@dataclass(frozen=True)
class OfClasses(Accuracy):
    worst: float


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return save(yolo(), tmp_path_factory.mktemp("recipe") / "m.onnx")


def agreement(path: Path):
    """How near a model is to the float one on other frames; 1 is equal."""
    feeds = noise(frames=2, seed=7)
    wanted = [next(iter(OnnxRuntimeBackend(path).infer(feed).values())) for feed in feeds]

    def evaluate(candidate: Path) -> Accuracy:
        found = [next(iter(OnnxRuntimeBackend(candidate).infer(feed).values())) for feed in feeds]
        return Accuracy(1.0 - float(np.mean([np.abs(a - b)[:, 4:].mean() for a, b in zip(wanted, found, strict=True)])))

    return evaluate


@pytest.mark.parametrize("style", ["s8", "u8"])
def test_the_best_of_all_methods_is_kept(path: Path, style) -> None:
    evaluate = agreement(path)
    result = search(path, noise(frames=8), evaluate, style)
    assert [trial.method for trial in result.trials] == ["minmax", "percentile", "entropy"]
    best = max(result.trials, key=lambda trial: trial.map50_95)
    assert (result.method, result.map50_95) == (best.method, best.map50_95)
    assert result.float_nodes == float_region(prepared(yolo()))
    assert (result.restored, result.ranking) == ((), ())
    assert evaluate(save(result.model, path.with_name("best.onnx"))).map50_95 == result.map50_95


def test_of_equal_methods_the_first_is_kept(path: Path) -> None:
    calibration = collect(path, noise())
    result = search(path, calibration, lambda _: Accuracy(0.5), "s8", ("entropy", "minmax"))
    assert result.method == "entropy"
    assert result.ranges.sha256 == calibration.ranges("entropy").sha256


def test_layers_are_given_back_until_it_is_enough(path: Path) -> None:
    evaluate = agreement(path)
    plain = search(path, noise(), evaluate, "s8", ("minmax",))
    least = plain.map50_95 + 0.5 * (1.0 - plain.map50_95)
    mended = search(
        path, noise(), evaluate, "s8", ("minmax",), lambda found: found.map50_95 - least, noise(frames=2, seed=3)
    )
    assert mended.map50_95 >= least > plain.map50_95
    assert mended.restored == tuple(entry.node for entry in mended.ranking[: len(mended.restored)])
    assert mended.float_nodes > plain.float_nodes | set(mended.restored)  # activations go with their layers
    assert mended.trials[-1].restored == mended.restored


def test_layers_are_given_back_for_a_class_too_and_trials_keep_the_map(path: Path) -> None:
    """What decides may be worse than mAP, which is high all along."""
    evaluate = agreement(path)
    plain = search(path, noise(), evaluate, "s8", ("minmax",))
    least = plain.map50_95 + 0.5 * (1.0 - plain.map50_95)

    def classes(candidate: Path) -> OfClasses:
        return OfClasses(0.95, evaluate(candidate).map50_95)

    mended = search(
        path, noise(), classes, "s8", ("minmax",), lambda found: found.worst - least, noise(frames=2, seed=3)
    )
    assert mended.restored
    assert {trial.map50_95 for trial in mended.trials} == {mended.map50_95} == {0.95}


def test_misuse_is_refused(path: Path) -> None:
    with pytest.raises(BadInput, match="no calibration method to try"):
        search(path, noise(), lambda _: Accuracy(1.0), "s8", ())
    with pytest.raises(BadInput, match="an accuracy is to be reached and there are no frames"):
        search(path, noise(), lambda _: Accuracy(1.0), "s8", margin=lambda found: found.map50_95 - 0.9)
