from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from deploy.errors import BadInput
from robot.sim import dataset
from robot.sim.dataset import DatasetOptions, render_dataset, scene_samples, yolo_lines
from robot.sim.effects import degrade
from robot.sim.labels import Labels
from robot.sim.render import Renderer


@pytest.fixture
def own_renderer(monkeypatch: pytest.MonkeyPatch, raycast: Renderer) -> None:
    monkeypatch.setattr(dataset, "_RENDERERS", {"egl": raycast, "raycast": raycast})


@pytest.mark.usefixtures("own_renderer")
def test_set_is_complete_and_repeatable(tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        options = DatasetOptions(tmp_path / name, images=7, seed=3, validation_share=0.5, processes=1)
        data = yaml.safe_load(render_dataset(options).read_text())
        assert data["names"] == {0: "red_cube", 1: "distractor"}
        files = {str(file.relative_to(options.out)): file.read_bytes() for file in options.out.rglob("0*.*")}
        contents.append(files)
    assert contents[0] == contents[1]
    images = sorted(name for name in contents[0] if name.endswith(".jpg"))
    assert len(images) == 7
    for name in images:
        lines = contents[0][name.replace("images", "labels").replace(".jpg", ".txt")].decode().splitlines()
        for line in lines:
            values = [float(value) for value in line.split()]
            assert values[0] in (0, 1)
            assert all(0.0 <= value <= 1.0 for value in values[1:])
        assert cv2.imread(str(tmp_path / "a" / name)).shape == (480, 640, 3)


def test_boxes_hold_red_only_for_the_cube(raycast: Renderer) -> None:
    cubes = 0
    for scene in range(4):
        for sample in scene_samples(11, scene, 2, raycast, strength=0.0):
            kept = sample.labels.select(sample.labels.clear())
            for box, class_id in zip(kept.boxes.astype(int), kept.class_ids, strict=True):
                patch = sample.image[box[1] : box[3], box[0] : box[2]].astype(float)
                red = (patch[..., 2] > 1.6 * patch[..., :2].max(axis=-1)) & (patch[..., 2] > 25)
                if class_id == 0:
                    cubes += 1
                    assert red.mean() > 0.2
                else:
                    assert red.mean() < 0.6
    assert cubes > 2


def test_yolo_text_is_centre_and_size() -> None:
    labels = Labels(
        np.array([[0, 0, 64, 48], [600, 430, 640, 480]], np.float32), np.array([0, 1], np.int32), np.ones(2), np.ones(2)
    )
    assert yolo_lines(labels) == "0 0.050000 0.050000 0.100000 0.100000\n1 0.968750 0.947917 0.062500 0.104167\n"


@pytest.mark.parametrize("seed", range(20))
def test_effects_keep_red_red(seed: int) -> None:
    image = np.full((32, 32, 3), (30, 25, 200), dtype=np.uint8)
    out = degrade(image, np.random.default_rng(seed)).astype(float).mean(axis=(0, 1))
    assert out[2] > 2.0 * max(out[0], out[1])
    assert np.array_equal(degrade(image, np.random.default_rng(seed)), degrade(image, np.random.default_rng(seed)))


def test_empty_set() -> None:
    with pytest.raises(BadInput, match="dataset of 0 images"):
        DatasetOptions(Path("x"), images=0)
