"""Descriptions of the networks that can be trained; the framework's files are stood in for by one like them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from deploy.training.architecture import (
    ARCHITECTURES,
    SOURCES,
    describe_network,
    head_index,
    learning_rate,
    write_network,
)
from deploy.training.rtdetr import DecoderSize

DESCRIPTION = {
    "nc": 80,
    "scales": {"n": [0.33, 0.25, 1024], "s": [0.33, 0.5, 1024]},
    "backbone": [[-1, 1, "Conv", [64, 3, 2]], [-1, 1, "Conv", [128, 3, 2]]],
    "head": [[-1, 1, "Conv", [128]], [[1, 2], 1, "Detect", ["nc"]]],
}


@pytest.fixture
def framework(tmp_path: Path) -> Any:
    for source in SOURCES.values():
        file = tmp_path / "cfg" / "models" / source
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(DESCRIPTION))
    return SimpleNamespace(__file__=str(tmp_path / "__init__.py"))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_only_width_and_classes_change(framework: Any, architecture: str) -> None:
    network = describe_network(framework, architecture, 0.1, 3)
    assert network["scales"] == {"n": [0.33, 0.1, 1024]}
    assert network["nc"] == 3
    assert network["backbone"] == DESCRIPTION["backbone"]
    assert network["head"][:-1] == DESCRIPTION["head"][:-1]
    assert network["head"][-1][2] == ("RTDETRDecoder" if architecture == "rtdetr" else "Detect")
    assert head_index(network) == 3


def test_a_decoder_looks_at_the_levels_of_the_head(framework: Any) -> None:
    levels, repeats, _, arguments = describe_network(framework, "rtdetr", 0.1, 3)["head"][-1]
    assert (levels, repeats) == ([1, 2], 1)
    size = DecoderSize()
    assert arguments == ["nc", size.hidden, size.queries, size.points, size.heads, size.layers, size.feed_forward]
    assert size.hidden % size.heads == 0


@pytest.mark.parametrize(("architecture", "name"), [("yolov8", "yolov8n-slim.yaml"), ("yolo26", "yolo26n-slim.yaml")])
def test_the_name_carries_the_scale(framework: Any, tmp_path: Path, architecture: str, name: str) -> None:
    network = describe_network(framework, architecture, 0.125, 2)
    file = write_network(network, tmp_path, architecture)
    assert file.name == name
    assert yaml.safe_load(file.read_text()) == network


def test_a_decoder_learns_more_carefully() -> None:
    assert learning_rate("rtdetr") < learning_rate("yolov8") == learning_rate("yolo26")
