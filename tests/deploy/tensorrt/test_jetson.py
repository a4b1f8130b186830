"""On a Jetson: JetPack's TensorRT, engines of both precisions, parity, and the power mode in their passports.

Skipped elsewhere. `docs/jetson.md` says how to run it; `-s` shows the figures.
"""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from deploy.model_store import ModelStore
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.passport import Passport, file_sha256, passport_path
from deploy.tensorrt.backend import TensorRtBackend
from deploy.timing import time_backend
from launch.cli import main
from launch.doctor import engines
from launch.machine import machine_facts
from tests.deploy.tensorrt import rtx_graphs
from tests.deploy.tensorrt.pictures import UNSEEN, write_pictures

TEGRA = Path("/etc/nv_tegra_release")
SHIPPED = Path(__file__).resolve().parents[3] / "deploy" / "models" / "tabletop-yolov8n" / "model.onnx"

pytestmark = [
    pytest.mark.jetson,
    pytest.mark.skipif(not TEGRA.is_file(), reason=f"no Jetson: {TEGRA} is not there"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model with artifacts for TensorRT; calibrated on noise, which is enough to build and to time."""
    folder = tmp_path_factory.mktemp("store") / "models" / "cube"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(SHIPPED.read_bytes())
    shipped = Passport.read(passport_path(SHIPPED))
    shipped.write(passport_path(folder / "model.onnx"))
    made = rtx_graphs.good(SHIPPED)
    for precision in ("fp16", "int8-s8-fp16"):
        path = folder / f"model.{precision}.onnx"
        onnx.save(made[precision], str(path))
        update = {
            "precision": precision, "sha256": file_sha256(path), "size_bytes": path.stat().st_size,
            "source": {"name": "model.onnx", "sha256": shipped.sha256},
        }  # fmt: skip
        shipped.model_copy(update=update).write(passport_path(path))
    return folder


@pytest.fixture(scope="module")
def built(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What `eyehand build` says of each precision, as JSON."""
    said = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder.parents[1])
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        data = write_pictures(folder.parents[1] / "set", 256, 320, UNSEEN)
        for precision in ("fp16", "int8"):
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                assert main(["build", "cube", "--precision", precision, "--data", str(data), "--json"]) == 0
            said[precision] = json.loads(out.getvalue())
            print(json.dumps(said[precision])[:2000])
    return said


@pytest.fixture(scope="module")
def fp16(built: dict[str, dict[str, Any]], folder: Path) -> Path:
    return ModelStore([folder.parent]).find("cube").artifacts["model.fp16.engine"]


def test_both_precisions_build(built: dict[str, dict[str, Any]]) -> None:
    assert built.keys() == {"fp16", "int8"}


def test_the_passport_names_the_power_mode(fp16: Path) -> None:
    target = Passport.read(passport_path(fp16)).target
    assert target is not None
    assert target.power_mode == machine_facts()["power_mode"]
    assert target.power_mode
    print(f"\n{target}")


def test_the_engine_gives_the_numbers_of_its_graph(fp16: Path) -> None:
    engine, reference = TensorRtBackend(fp16), OnnxRuntimeBackend(fp16.with_suffix(".onnx"))
    random = np.random.default_rng(0)
    for _ in range(5):
        image = {"images": random.random(reference.io_spec.inputs[0].shape, np.float32)}
        expected, found = reference.infer(image)["output0"], engine.infer(image)["output0"]
        np.testing.assert_allclose(found[:, :4], expected[:, :4], atol=2.0)  # boxes [px]
        np.testing.assert_allclose(found[:, 4:], expected[:, 4:], atol=0.02)
    print(f"\n{engine.fingerprint}: {time_backend(engine)}")
    print(f"{reference.fingerprint}: {time_backend(reference, n=50)}")
    engine.close()


def test_the_doctor_proves_tensorrt(fp16: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fp16.parents[2])
    found = engines.tensorrt()
    assert found.status == "ok", found
    print(f"\n{found.detail}")
