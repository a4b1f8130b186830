"""Frames of a real D435 become a bag by commands alone, and the bag runs through the pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import yaml

from launch.bag import BagReader
from perception.frame import Frame
from tests.end_to_end.conftest import Eyehand


def rig_of(folder: Path) -> dict[str, object]:
    """The figures that came with the recording: both intrinsics, and depth_T_color, whose inverse places the depth."""
    depth_T_color = np.loadtxt(folder / "depth_M_color.txt")
    color_T_depth = np.linalg.inv(depth_T_color)
    size = {"width": 640, "height": 480}
    options = {
        "source": str(folder / "color_image_*.jpg"),
        "depth": str(folder / "depth_image_*.bin"),
        "depth_scale_m": 0.001,
        "fps": 30,
        "depth_intrinsics": {**size, "fx": 383.97, "fy": 383.97, "cx": 320.50, "cy": 235.60},
        "color_T_depth": {
            "translation_m": color_T_depth[:3, 3].tolist(),
            "rotation_matrix": color_T_depth[:3, :3].tolist(),
        },
    }
    camera = {
        "name": "d435",
        "source": {"type": "opencv", "options": options},
        "intrinsics": {**size, "fx": 614.96, "fy": 614.93, "cx": 320.20, "cy": 241.46},
    }
    return {"name": "d435_cube", "rig": {"name": "d435", "cameras": [camera]}}


def test_from_a_folder_of_images_to_tracks(eyehand: Eyehand, shared_data: Path, tmp_path: Path) -> None:
    config = tmp_path / "d435.yaml"
    config.write_text(yaml.safe_dump(rig_of(shared_data / "visp_d435_cube")))
    recorded = eyehand("record", config, "--out", tmp_path / "bag", "--json")
    assert recorded.code == 0, recorded.err
    assert recorded.json["cameras"] == {"d435": 10}

    with BagReader(tmp_path / "bag", need_depth=True) as reader:
        frames = [record.value for record in reader.records() if isinstance(record.value, Frame)]
    assert [frame.sequence for frame in frames] == list(range(10))
    assert all(np.diff([frame.stamp_ns for frame in frames]) > 33_000_000)
    for frame in frames:
        assert frame.depth is not None
        assert 0.5 < np.count_nonzero(frame.depth) / frame.depth.size < 1.0

    done = eyehand("replay", tmp_path / "bag", "--json", "--out", tmp_path / "replay")
    assert done.code == 0, done.err
    assert (done.json["frames"], done.json["commands"], done.json["identical"]) == (10, 0, None)
    again = eyehand("replay", tmp_path / "bag", "--json")
    assert again.json["replay_hash"] == done.json["replay_hash"]
    summary = json.loads((tmp_path / "replay" / "summary.json").read_text())
    assert summary["latency"]["stages"]["track"]["n"] == 10
