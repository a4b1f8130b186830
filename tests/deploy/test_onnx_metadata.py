"""onnx_header: what onnx itself reads, from the file's bytes alone."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest

from deploy.errors import BadInput
from deploy.onnx_metadata import onnx_header
from tests.deploy.onnx_models import write_constant, write_double

MODELS = Path(__file__).resolve().parents[2] / "deploy" / "models"


@pytest.mark.parametrize("name", ["tabletop-yolov8n", "tabletop-yolov8n-small"])
def test_a_shipped_model(name: str) -> None:
    path = MODELS / name / "model.onnx"
    expected = {prop.key: prop.value for prop in onnx.load(str(path)).metadata_props}
    assert len(expected) > 5
    header = onnx_header(path)
    assert header.metadata == expected
    assert (header.inputs, header.outputs) == (["images"], ["output0"])


@pytest.mark.parametrize("metadata", [{}, {"a": ""}, {"größe": "12 µm", "b": "x" * 70_000}])
def test_any_text(tmp_path: Path, metadata: dict[str, str]) -> None:
    assert onnx_header(write_double(tmp_path / "m.onnx", metadata=metadata)).metadata == metadata


def test_every_cut_is_refused_or_reads_what_is_whole(tmp_path: Path) -> None:
    whole = write_constant(tmp_path / "m.onnx", [np.zeros((1, 2, 3))], metadata={"key": "value"}).read_bytes()
    cut = tmp_path / "cut.onnx"
    results = []
    for size in range(len(whole)):
        cut.write_bytes(whole[:size])
        with suppress(BadInput):
            results.append(onnx_header(cut).metadata)
    assert all(result in ({}, {"key": "value"}) for result in results)
    assert len(results) <= 4  # between two fields of the model a cut cannot be seen


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"\x03\x04", b"\x08\x07", b"plain text, no model"])
def test_what_is_not_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="cannot be read as ONNX: it is"):
        onnx_header(path)
