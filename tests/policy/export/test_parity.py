"""The comparison with LeRobot: what it compares on, and that it notices a difference. No LeRobot is needed for that."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deploy.backend import Tensor
from deploy.errors import BadInput
from policy.export.parity import compare, drawn, of_frames
from policy.export.pictures import holds_pictures, read_pictures
from policy.features import ACTION, ENVIRONMENT, STATE
from policy.spec import ImageSpec
from tests.policy.export.test_describe import demonstrations
from tests.policy.fake_engine import FakeEngine, spec

CAMERA = "observation.images.wrist"


class Reference:
    """LeRobot's place: actions are the state's first seven numbers, over and over."""

    def __init__(self, environment: int = 7, noise_shape: Any = None, images: Mapping[str, Any] | None = None) -> None:
        inputs = {STATE: (10,), ENVIRONMENT: (environment,), **(images or {})}
        self.checkpoint = SimpleNamespace(inputs=inputs)
        self.noise_shape = noise_shape

    def statistics(self) -> dict[str, dict[str, Tensor]]:
        mean = np.arange(10, dtype=np.float32)
        return {
            STATE: {"mean": mean, "std": np.full(10, 0.1, np.float32)},
            ENVIRONMENT: {"min": np.full(7, 2.0, np.float32), "max": np.full(7, 3.0, np.float32)},
        }

    def predict(self, inputs: Mapping[str, Tensor]) -> Tensor:
        return np.repeat(inputs[STATE][:, None, :7], 16, axis=1)


def engine(error: float = 0.0, number: int = 3) -> FakeEngine:
    def network(inputs: Mapping[str, Tensor]) -> Tensor:
        actions = Reference().predict(inputs).copy()
        actions[0, 5, number] += error
        return actions

    return FakeEngine(spec(), network)


@pytest.mark.parametrize(
    ("error", "close"), [(0.0, True), (5e-6, True), (2e-4, False), (np.nan, False), (np.inf, False)]
)
def test_one_number_in_one_action_counts(error: float, close: bool) -> None:
    inputs = drawn(Reference(), 4)  # type: ignore[arg-type]
    found = compare(Reference(), engine(error), spec(), inputs, "drawn inputs")  # type: ignore[arg-type]
    assert found.close is close
    assert found.tolerance == 1e-5
    assert max(found.largest, key=lambda name: found.largest[name]) == "wrist_1_joint.pos" or error == 0.0
    assert found.worst == pytest.approx(error if np.isfinite(error) else np.inf, abs=1e-6)


def test_a_deep_network_may_round_more() -> None:
    images = (ImageSpec(CAMERA, "wrist", 12, 16),)
    inputs = drawn(Reference(), 2)  # type: ignore[arg-type]
    for reference, described in ((Reference(), spec(images=images)), (Reference(noise_shape=(1, 16, 7)), spec())):
        found = compare(reference, engine(5e-5), described, inputs, "x")  # type: ignore[arg-type]
        assert found.close
        assert not compare(reference, engine(2e-4), described, inputs, "x").close  # type: ignore[arg-type]


def test_drawn_inputs_are_as_wide_as_the_statistics() -> None:
    reference = Reference(noise_shape=(1, 16, 7), images={CAMERA: (3, 12, 16)})
    inputs = drawn(reference, 64, seed=1)  # type: ignore[arg-type]
    assert {name: values.shape for name, values in inputs[0].items()} == {
        STATE: (1, 10), ENVIRONMENT: (1, 7), CAMERA: (1, 3, 12, 16), "noise": (1, 16, 7),
    }  # fmt: skip
    assert all(values.dtype == np.float32 for values in inputs[0].values())
    states = np.concatenate([each[STATE] for each in inputs])
    np.testing.assert_allclose(states.mean(axis=0), np.arange(10), atol=0.1)
    assert 0.05 < np.abs(states - np.arange(10)).max() <= 0.2 + 1e-6
    seen = np.concatenate([each[ENVIRONMENT] for each in inputs])
    assert 2.0 <= seen.min() < seen.max() <= 3.0
    pictures = np.concatenate([each[CAMERA] for each in inputs])
    assert 0.0 <= pictures.min() < 0.1 < 0.9 < pictures.max() <= 1.0
    assert len({each["noise"].tobytes() for each in inputs}) == 64


def test_frames_of_the_dataset_and_half_of_them_with_a_prefix() -> None:
    described, data = spec(prefix=3), demonstrations()
    inputs = of_frames(Reference(7 + 1 + 21), described, data, 40)  # type: ignore[arg-type]
    rows = [int(np.flatnonzero((data.vectors[STATE] == each[STATE]).all(axis=1))[0]) for each in inputs]
    assert len(set(rows)) == 40
    lengths = [int(each[ENVIRONMENT][0, 7]) for each in inputs]
    assert set(lengths) == {0, 1, 2, 3}
    assert lengths.count(0) == 20
    i = next(i for i in range(40) if lengths[i] == 2 and rows[i] % 25 < 20)
    np.testing.assert_array_equal(inputs[i][ENVIRONMENT][0, 8:15], data.vectors[ACTION][rows[i]])
    np.testing.assert_array_equal(inputs[i][ENVIRONMENT][0, 15:22], data.vectors[ACTION][rows[i] + 1])
    assert not inputs[i][ENVIRONMENT][0, 22:].any()
    assert len(of_frames(Reference(7 + 1 + 21), described, data, 64)) == 64  # type: ignore[arg-type]


def test_pictures_of_the_dataset(tmp_path: Any) -> None:
    folder = tmp_path / "data" / "chunk-000"
    folder.mkdir(parents=True)
    images = [np.full((4, 6, 3), (10 * i, 100, 200), np.uint8) for i in range(3)]  # blue, green, red
    cells = [{"bytes": cv2.imencode(".png", image)[1].tobytes(), "path": None} for image in images]
    pq.write_table(pa.table({"index": [0, 1, 2], CAMERA: cells}), folder / "file-000.parquet")
    assert holds_pictures(tmp_path, CAMERA)
    assert not holds_pictures(tmp_path, "observation.images.top")
    found = read_pictures(tmp_path, CAMERA, np.array([2, 0]))
    assert [each.shape for each in found] == [(1, 3, 4, 6)] * 2
    np.testing.assert_allclose(found[0][0, :, 0, 0], np.array([200, 100, 20]) / 255.0, atol=1e-6)
    for rows, name, words in (
        ([3], CAMERA, "has no frame 3"),
        ([0], "observation.images.top", "as a video"),
    ):
        with pytest.raises(BadInput, match=words):
            read_pictures(tmp_path, name, np.array(rows))
    pq.write_table(
        pa.table({"index": [0], CAMERA: [{"bytes": b"no picture", "path": None}]}), folder / "file-000.parquet"
    )
    with pytest.raises(BadInput, match="of frame 0 is no picture"):
        read_pictures(tmp_path, CAMERA, np.array([0]))


def test_pictures_of_a_video_are_made_up(tmp_path: Any) -> None:
    reference = Reference(images={CAMERA: (3, 12, 16)})
    described = spec(images=(ImageSpec(CAMERA, "wrist", 12, 16),))
    inputs = of_frames(reference, described, demonstrations(folder=tmp_path), 4)  # type: ignore[arg-type]
    assert len({each[CAMERA].tobytes() for each in inputs}) == 4
    assert inputs[0][CAMERA].shape == (1, 3, 12, 16)
