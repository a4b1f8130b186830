"""What is missing on a machine without TensorRT, CUDA or GPU is named, with the remedy."""

from __future__ import annotations

import sys
import types

import pytest

from deploy.errors import Missing
from deploy.passport import Target
from deploy.tensorrt import api
from deploy.tensorrt.machine import make_log, this_machine
from tests.deploy.tensorrt.fake_cuda import FakeGpu, Status
from tests.deploy.tensorrt.fake_tensorrt import VERSIONS, install


@pytest.mark.parametrize("version", VERSIONS)
def test_this_machine(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    install(monkeypatch, version, FakeGpu(name="NVIDIA Thor", sm=(11, 0), integrated=True, driver=13000))
    machine = this_machine()
    assert machine.target("MAXN") == Target(
        gpu="NVIDIA Thor", sm="11.0", tensorrt=version, cuda="13.0", power_mode="MAXN"
    )
    assert machine.device.integrated


def test_without_tensorrt_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(Missing, match=r"python3-libnvinfer.*eyehand\[tensorrt\].*https://pypi\.nvidia\.com"):
        this_machine()


def test_without_cuda_bindings_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    with pytest.raises(Missing, match=r"cuda\.bindings cannot be imported .*cuda-python"):
        this_machine()


def test_bindings_that_are_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", types.ModuleType("cuda.bindings.runtime"))
    with pytest.raises(Missing, match=r"cuda\.bindings lacks cudaDeviceAttr.*12\.6\.2 or newer"):
        this_machine()


@pytest.mark.parametrize("status", [Status.INSUFFICIENT_DRIVER, Status.NO_DEVICE])
@pytest.mark.parametrize("function", ["cudaGetDevice", "cudaGetDeviceProperties"])
def test_without_a_gpu(monkeypatch: pytest.MonkeyPatch, status: Status, function: str) -> None:
    install(monkeypatch, gpu=FakeGpu(fails={function: status}))
    with pytest.raises(Missing, match=f"no NVIDIA GPU can be used here .CUDA error {int(status)} "):
        this_machine()


@pytest.mark.parametrize("version", ["8.6.1", "9.3", "10.2.0", "12.0", "unknown"])
def test_versions_that_are_not_supported(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    install(monkeypatch, version)
    with pytest.raises(Missing, match=f"TensorRT {version}: expected 10.3 to 11"):
        this_machine()


def test_a_tensorrt_without_its_builder(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch)
    monkeypatch.delattr(fake.module, "OnnxParser")
    with pytest.raises(Missing, match=r"lacks OnnxParser\.get_error, .*: install the whole of it"):
        this_machine()


def test_the_log_keeps_warnings_and_tells_the_last_error(monkeypatch: pytest.MonkeyPatch) -> None:
    trt = install(monkeypatch).module
    log = make_log(trt)
    assert log.reason() == "it gives no reason"
    severity = trt.ILogger.Severity
    log.log(severity.WARNING, "careful")
    log.log(severity.ERROR, "this\n  failed")
    log.log(9, "chatter")
    assert (log.lines, log.reason()) == (["careful", "this\n  failed"], "this failed")


def test_no_name_is_listed_that_newer_versions_took_away() -> None:
    listed = {*api.RUN, *api.BUILD}
    gone = ("BuilderFlag", "EXPLICIT_BATCH", "calibrator", "Calibrator", "binding", "execute_async_v2", "max_workspace")
    assert not [name for name in listed if any(word in name for word in gone)]
    assert "OnnxParser.supports_model" not in listed
    assert len(listed) == len(api.RUN) + len(api.BUILD), "a name twice"
