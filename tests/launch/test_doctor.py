"""Each check meets a machine that has the thing, one that lacks it and one where it is broken."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from deploy.errors import BadInput, Missing
from deploy.model_store import ModelStore
from launch.cli import doctor as command
from launch.doctor import Check, Finding, checks, devices, engines, examine, machine, satisfied
from tests.deploy.tensorrt.fake_tensorrt import FakeTensorRt, engine_bytes, install
from tests.deploy.tensorrt.graphs import ORIN, write_graph, write_passport, write_store

ROOT = Path(__file__).resolve().parents[2]
OK = Finding("x", "ok", "there")


def raises(error: BaseException) -> Callable[[], Finding]:
    def look() -> Finding:
        raise error

    return look


@pytest.mark.parametrize(
    "error",
    [RuntimeError("no\ndriver"), ImportError("libGL.so.1"), SystemExit(3), KeyboardInterrupt()],
    ids=lambda error: type(error).__name__,
)
def test_a_check_that_raises_is_a_problem_on_one_line(error: BaseException) -> None:
    found = examine([Check("a", raises(error), required=True), Check("x", lambda: OK)], limit_s=5.0)
    assert [finding.status for finding in found] == ["problem", "ok"]
    assert found[0].name == "a"
    assert found[0].required
    assert type(error).__name__ in found[0].detail
    assert "\n" not in found[0].detail


def test_a_check_that_hangs_does_not_hold_the_others_up() -> None:
    release = threading.Event()

    def stuck() -> Finding:
        release.wait(30)
        return OK

    started = time.monotonic()
    found = examine([Check("stuck", stuck), Check("x", lambda: OK)], limit_s=0.2)
    took_s = time.monotonic() - started
    release.set()
    assert took_s < 10
    assert [finding.status for finding in found] == ["problem", "ok"]
    assert "0.2 s" in found[0].detail
    assert found[0].remedy


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("ok", True), ("ok", False)], True),
        ([("ok", True), ("missing", False), ("problem", False)], True),
        ([("ok", True), ("missing", True)], False),
        ([("problem", True)], False),
        ([], True),
    ],
)
def test_only_what_is_required_decides(rows: list[tuple[Any, bool]], expected: bool) -> None:
    assert satisfied([Finding("x", status, "", required=required) for status, required in rows]) is expected


# -------------------------------------------------------------------------------------------------------------- engines


def test_probe_model_is_a_valid_convolution() -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_model_from_string(engines.PROBE_MODEL)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Conv"]


def test_the_cpu_is_proved_by_an_inference() -> None:
    pytest.importorskip("onnxruntime")
    found = engines.provider(engines.CPU)
    assert found.status == "ok"
    assert "proved" in found.detail


class FakeSession:
    def __init__(self, providers: list[str], answer: Any) -> None:
        self._providers, self._answer = providers, answer

    def get_providers(self) -> list[str]:
        return self._providers

    def run(self, _names: Any, _inputs: Any) -> list[Any]:
        if isinstance(self._answer, Exception):
            raise self._answer
        return [self._answer]


def fake_onnxruntime(monkeypatch: pytest.MonkeyPatch, session: Any, available: list[str]) -> None:
    module = ModuleType("onnxruntime")
    module.__dict__.update(
        __version__="9.9",
        get_available_providers=lambda: available,
        SessionOptions=SimpleNamespace,
        InferenceSession=session,
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", module)


CUDA = "CUDAExecutionProvider"


@pytest.mark.parametrize(
    ("used", "answer", "status", "detail"),
    [
        (CUDA, engines.PROBE_ANSWER, "ok", "onnxruntime 9.9"),
        (CUDA, engines.PROBE_ANSWER * np.float32(1.001), "ok", "onnxruntime 9.9"),
        (engines.CPU, engines.PROBE_ANSWER, "problem", "fell back to CPUExecutionProvider"),
        (CUDA, np.zeros((1, 1, 2, 2), np.float32), "problem", "wrong answer"),
        (CUDA, RuntimeError("libcudnn.so.9:\n cannot open"), "problem", "libcudnn.so.9: cannot open"),
    ],
)
def test_a_provider_must_answer_rightly_and_itself(
    monkeypatch: pytest.MonkeyPatch, used: str, answer: Any, status: str, detail: str
) -> None:
    fake_onnxruntime(monkeypatch, lambda *_args, **_kwargs: FakeSession([used], answer), [CUDA, engines.CPU])
    found = engines.provider(CUDA)
    assert found.status == status
    assert detail in found.detail
    assert bool(found.remedy) is (status != "ok")


def test_each_compiled_provider_has_a_check_and_the_remote_one_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_onnxruntime(
        monkeypatch, FakeSession, ["TensorrtExecutionProvider", CUDA, "AzureExecutionProvider", engines.CPU]
    )
    found = engines.provider_checks()
    assert [check.name for check in found] == ["onnxruntime CPU", "onnxruntime Tensorrt", "onnxruntime CUDA"]
    assert [check.required for check in found] == [True, False, False]


@pytest.mark.parametrize(
    ("module", "look", "extra"),
    [
        ("onnxruntime", lambda: engines.provider_checks()[0].look(), "eyehand[cpu]"),
        ("mujoco", engines.simulator, "eyehand[sim]"),
    ],
)
def test_what_is_not_installed_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, module: str, look: Callable[[], Finding], extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    found = look()
    assert found.status == "missing"
    assert extra in found.remedy


class FakeBackend:
    """An engine that gives an answer, or that refuses."""

    fingerprint = "sha256:0 openvino-2030.1 CPU"
    graph_note = "CUDA graph"

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def __call__(self, path: Path) -> FakeBackend:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self

    def infer(self, inputs: Any) -> dict[str, Any]:
        assert inputs["x"].shape == (1, 1, 4, 4)
        return {"y": self._answer}

    def close(self) -> None:
        self._answer = None


def test_openvino_is_proved_by_an_inference() -> None:
    pytest.importorskip("openvino")
    found = engines.openvino()
    assert found.status == "ok", found
    assert re.fullmatch(r"openvino-20\d\d\.\d+\S*, proved by an inference", found.detail)


@pytest.mark.parametrize(
    ("answer", "status", "detail"),
    [
        (engines.PROBE_ANSWER, "ok", "openvino-2030.1, proved"),
        (engines.PROBE_ANSWER * 0, "problem", "wrong answer [0.0, 0.0, 0.0, 0.0]"),
        (Missing("no CPU device here"), "problem", "no CPU device here"),
        (BadInput("cannot be\ncompiled"), "problem", "cannot be compiled"),
    ],
)
def test_openvino_must_answer_rightly(monkeypatch: pytest.MonkeyPatch, answer: Any, status: str, detail: str) -> None:
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda _name: object())
    monkeypatch.setattr("deploy.openvino_backend.OpenVinoBackend", FakeBackend(answer))
    found = engines.openvino()
    assert found.status == status
    assert detail in found.detail
    assert bool(found.remedy) is (status != "ok")


@pytest.mark.parametrize("look", [engines.openvino, engines.tensorrt])
def test_an_engine_that_is_not_installed_is_not_needed(
    monkeypatch: pytest.MonkeyPatch, look: Callable[[], Finding]
) -> None:
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda _name: None)
    found = look()
    assert (found.status, found.detail) == ("missing", "not installed")
    assert "not needed" in found.remedy


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeTensorRt:
    """A TensorRT, in a folder without models."""
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda _name: object())
    monkeypatch.setattr(engines, "ModelStore", lambda: ModelStore([tmp_path / "models"]))
    return install(monkeypatch)


def put_engine(folder: Path, fake: FakeTensorRt, **target: str) -> Path:
    """A model with an engine, as `eyehand build` leaves it."""
    (folder / "models" / "cube").mkdir(parents=True)
    model = write_graph(folder / "models" / "cube" / "model.onnx", "fp16")
    engine = model.with_name("model.fp16.engine")
    engine.write_bytes(engine_bytes(fake, model.read_bytes()))
    here = ORIN.model_copy(update={"tensorrt": fake.version, **target})
    write_passport(engine, "fp16", format="tensorrt", target=here, source={})
    return engine


def test_tensorrt_is_proved_by_an_engine_of_the_store(gpu: FakeTensorRt, tmp_path: Path) -> None:
    put_engine(tmp_path, gpu)
    found = engines.tensorrt()
    assert found.status == "ok", found
    assert f"TensorRT {gpu.version} on {ORIN.gpu}, proved by an inference of cube/model.fp16.engine" in found.detail
    assert gpu.gpu.contexts == 0  # it was closed


def test_tensorrt_without_an_engine_is_not_called_proved(gpu: FakeTensorRt) -> None:
    found = engines.tensorrt()
    assert found.status == "missing"
    assert "no inference was made" in found.detail
    assert "eyehand build" in found.remedy


def test_an_engine_of_another_machine_is_a_problem(gpu: FakeTensorRt, tmp_path: Path) -> None:
    put_engine(tmp_path, gpu, tensorrt="10.2.0")
    found = engines.tensorrt()
    assert found.status == "problem"
    assert "10.2.0" in found.detail
    assert "eyehand build" in found.remedy


def test_a_tensorrt_that_makes_no_run_time_is_a_problem(gpu: FakeTensorRt) -> None:
    gpu.no_factory = True
    found = engines.tensorrt()
    assert found.status == "problem"
    assert "makes no Runtime" in found.detail


def test_tensorrt_without_a_gpu_is_a_problem(gpu: FakeTensorRt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    found = engines.tensorrt()
    assert found.status == "problem"
    assert "cuda.bindings cannot be imported" in found.detail


def test_simulator_steps() -> None:
    pytest.importorskip("mujoco")
    assert engines.simulator().status == "ok"


@pytest.mark.parametrize(
    ("problem", "environment", "status", "remedy"),
    [
        (None, "", "ok", ""),
        ("no EGL\ndisplay", "", "missing", "libegl1"),
        ("EYEHAND_NO_EGL is set", "1", "missing", "unset EYEHAND_NO_EGL"),
    ],
)
def test_without_opengl_rays_are_cast(
    monkeypatch: pytest.MonkeyPatch, problem: str | None, environment: str, status: str, remedy: str
) -> None:
    pytest.importorskip("mujoco")
    monkeypatch.setattr("robot.sim.render.egl_problem", lambda: problem)
    monkeypatch.setenv("EYEHAND_NO_EGL", environment)
    found = engines.opengl()
    assert (found.status, "ray casting" in found.detail) == (status, status == "missing")
    assert remedy in found.remedy


@pytest.mark.parametrize(("there", "status"), [("wanted", "ok"), ("another", "missing")])
def test_the_simulation_wants_one_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: str, status: str
) -> None:
    folder = tmp_path / "models" / there
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    found = engines.models("wanted")
    assert found.status == status
    assert there in found.detail
    assert bool(found.remedy) is (status != "ok")


@pytest.mark.parametrize("file", ["model.onnx", "model.fp16.onnx"])
def test_a_model_that_is_not_what_its_passport_says_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str
) -> None:
    folder = write_store(tmp_path / "models" / "wanted", "fp16")
    monkeypatch.setattr(engines, "ModelStore", lambda: ModelStore([tmp_path / "models"]))
    assert engines.models("wanted").status == "ok"
    with (folder / file).open("ab") as changed:
        changed.write(b"\0")
    found = engines.models("wanted")
    assert (found.status, found.remedy) == ("problem", "make that file again, or take it away")
    assert f"was written for another file than {file}" in found.detail
    assert engines._engine_in_store() is None, "its own check does not fall over it"


# -------------------------------------------------------------------------------------------------------------- machine


@pytest.mark.parametrize(
    ("governor", "driver", "status"),
    [
        ("performance", "acpi-cpufreq", "ok"),
        ("schedutil", "acpi-cpufreq", "ok"),
        ("powersave", "acpi-cpufreq", "problem"),
        ("powersave", "intel_pstate", "ok"),
        (None, None, "ok"),
    ],
)
def test_a_governor_that_holds_the_clock_down_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, governor: str | None, driver: str | None, status: str
) -> None:
    if governor is not None and driver is not None:
        (tmp_path / "scaling_governor").write_text(f"{governor}\n")
        (tmp_path / "scaling_driver").write_text(f"{driver}\n")
        (tmp_path / "cpuinfo_max_freq").write_text("2200000\n")
    monkeypatch.setattr(machine, "CPUFREQ", tmp_path)
    found = machine.processor()
    assert found.status == status
    assert (governor or "not readable") in found.detail
    assert ("2.2 GHz" in found.detail) is (governor is not None)
    assert bool(found.remedy) is (status == "problem")


@pytest.mark.parametrize(("available_kb", "status"), [(4_000_000, "ok"), (500_000, "problem")])
def test_memory(monkeypatch: pytest.MonkeyPatch, available_kb: int, status: str) -> None:
    text = f"MemTotal: 8000000 kB\nMemAvailable: {available_kb} kB"
    monkeypatch.setattr(machine, "_text", lambda _path: text)
    assert machine.memory().status == status


@pytest.mark.parametrize(
    ("free", "writable", "status"), [(9e9, True, "ok"), (1e8, True, "problem"), (9e9, False, "problem")]
)
def test_disk(monkeypatch: pytest.MonkeyPatch, free: float, writable: bool, status: str) -> None:
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _path: SimpleNamespace(free=free))
    monkeypatch.setattr(machine.os, "access", lambda _path, _mode: writable)
    assert machine.disk().status == status


@pytest.mark.skipif(not hasattr(os, "SCHED_FIFO"), reason="needs Linux scheduling classes")
@pytest.mark.parametrize(
    ("error", "status"), [(None, "ok"), (PermissionError(1, "Operation not permitted"), "missing")]
)
def test_real_time_is_tried_on_a_thread(monkeypatch: pytest.MonkeyPatch, error: OSError | None, status: str) -> None:
    tried: list[str] = []

    def schedule(_pid: int, _policy: int, _parameters: Any) -> None:
        tried.append(threading.current_thread().name)
        if error is not None:
            raise error

    monkeypatch.setattr(machine.os, "sched_setscheduler", schedule)
    found = machine.real_time()
    assert found.status == status
    assert tried != []
    assert tried != [threading.main_thread().name]
    assert ("limits.conf" in found.remedy) is (status != "ok")


@pytest.mark.parametrize(
    ("returncode", "stdout", "status"),
    [(0, "Orin, 540.3, 30 GiB\n", "ok"), (9, "NVIDIA-SMI has failed", "problem"), (0, "", "problem")],
)
def test_gpu(monkeypatch: pytest.MonkeyPatch, returncode: int, stdout: str, status: str) -> None:
    done = SimpleNamespace(returncode=returncode, stdout=stdout, stderr="")
    monkeypatch.setattr(machine.shutil, "which", lambda _name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(machine.subprocess, "run", lambda *_args, **_kwargs: done)
    monkeypatch.setattr(machine, "_text", lambda _path: "")
    assert machine.graphics_processor().status == status


@pytest.mark.parametrize(
    ("version", "status"), [((3, 9, 18), "problem"), ((3, 10, 0), "ok"), ((3, 12, 9), "ok"), ((3, 13, 0), "problem")]
)
def test_python(monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], status: str) -> None:
    monkeypatch.setattr(machine.sys, "version_info", version)
    assert machine.python().status == status


@pytest.mark.parametrize(
    ("version", "registered", "status"), [("0.1.0", ["x"], "ok"), ("0.1.0", [], "problem"), (None, ["x"], "missing")]
)
def test_installation(monkeypatch: pytest.MonkeyPatch, version: str | None, registered: list[str], status: str) -> None:
    def find(_name: str) -> str:
        if version is None:
            raise machine.metadata.PackageNotFoundError
        return version

    monkeypatch.setattr(machine.metadata, "version", find)
    monkeypatch.setattr(machine.plugins, "names", lambda _kind: registered)
    found = machine.installation()
    assert found.status == status
    assert ("pip install" in found.remedy) is (status != "ok")


# -------------------------------------------------------------------------------------------------------------- devices


@pytest.mark.parametrize(
    ("capability", "frame", "status", "detail"),
    [
        (("Webcam", True), "640x480", "ok", "Webcam, 640x480"),
        (("Webcam", True), "", "problem", "no frame came"),
        (("Webcam metadata", False), "640x480", "missing", "no camera"),
        (PermissionError(13, "Permission denied"), "", "problem", "permission denied"),
        (OSError(16, "Device or resource busy"), "", "problem", "busy"),
    ],
)
def test_cameras(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capability: Any, frame: str, status: str, detail: str
) -> None:
    def answer(_node: Path) -> tuple[str, bool]:
        if isinstance(capability, OSError):
            raise capability
        return capability  # type: ignore[no-any-return]

    (tmp_path / "video0").touch()
    monkeypatch.setattr(devices, "DEVICES", tmp_path)
    monkeypatch.setattr(devices, "_capability", answer)
    monkeypatch.setattr(devices, "_first_frame", lambda _node: frame)
    found = devices.video_devices()
    assert found.status == status
    assert detail in found.detail
    assert bool(found.remedy) is (status != "ok")


def test_a_file_that_is_no_camera_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "video0").write_text("not a device")
    monkeypatch.setattr(devices, "DEVICES", tmp_path)
    found = devices.video_devices()
    assert found.status == "problem"
    assert "video0" in found.detail


def test_a_capability_is_read_from_the_kernel_structure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fill(_handle: int, request: int, answer: Any, _mutate: bool) -> None:
        assert request == 0x80685600
        structure = bytearray(104)
        structure[16:22] = b"Webcam"
        structure[84:88] = (0x84A00001).to_bytes(4, "little")  # the device as a whole captures
        structure[88:92] = (0x04A00000).to_bytes(4, "little")  # this node carries metadata
        answer[:] = type(answer)("B", bytes(structure))

    monkeypatch.setattr(devices.fcntl, "ioctl", fill)
    node = tmp_path / "video1"
    node.touch()
    assert devices._capability(node) == ("Webcam", False)


class FakeRealSense:
    def supports(self, _field: str) -> bool:
        return True

    def get_info(self, field: str) -> str:
        return {"name": "D435i", "serial_number": "0123", "usb_type_descriptor": "3.2"}[field]


@pytest.mark.parametrize(
    ("plugged_in", "status", "detail"),
    [([], "missing", "no camera answers"), ([FakeRealSense()], "ok", "D435i, serial 0123, USB 3.2")],
)
def test_realsense(monkeypatch: pytest.MonkeyPatch, plugged_in: list[Any], status: str, detail: str) -> None:
    fields = SimpleNamespace(name="name", serial_number="serial_number", usb_type_descriptor="usb_type_descriptor")
    context = SimpleNamespace(query_devices=lambda: plugged_in)
    rs = SimpleNamespace(camera_info=fields, context=lambda: context)
    monkeypatch.setattr("perception.sources.realsense_device.import_pyrealsense2", lambda: rs)
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda _name: object())
    monkeypatch.setattr(devices.metadata, "version", lambda _name: "2.59")
    found = devices.realsense()
    assert found.status == status
    assert detail in found.detail


def test_realsense_without_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda _name: None)
    found = devices.realsense()
    assert found.status == "missing"
    assert "eyehand[realsense]" in found.remedy


@pytest.mark.parametrize("installed", [True, False])
def test_drivers_of_arms(monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda _name: object() if installed else None)
    monkeypatch.setitem(sys.modules, "script_client", ModuleType("script_client"))
    found = devices.arms()
    assert found.status == ("ok" if installed else "missing")
    assert ("eyehand[ur]" in found.remedy) is not installed


def test_a_driver_that_does_not_load_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda _name: object())
    monkeypatch.setitem(sys.modules, "script_client", None)
    assert devices.arms().status == "problem"


# -------------------------------------------------------------------------------------------------------------- command


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("missing", 3), ("problem", 3)])
def test_exit_code_and_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: Any, code: int, as_json: bool
) -> None:
    findings = [
        Finding("mujoco", status, "mujoco [bold]4.0", "pip install 'eyehand[sim]'", required=True),
        Finding("cameras", "missing", "none", "plug one in"),
    ]
    monkeypatch.setattr(command, "diagnose", lambda: findings)
    assert command.execute(argparse.Namespace(json=as_json)) == code
    out, err = capsys.readouterr()
    if as_json:
        report = json.loads(out)
        assert report["ok"] is (code == 0)
        assert [row["name"] for row in report["findings"]] == ["mujoco", "cameras"]
        assert set(report["findings"][0]) == {"name", "status", "detail", "remedy", "required"}
    else:
        assert "plug one in" in out
        assert ("eyehand[sim]" in out) is (code != 0)
        assert "[bold]" in out  # what a driver says is not markup
    assert ("cannot run here: mujoco" in err) is (code == 3)


def test_names_differ() -> None:
    names = [check.name for check in checks()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("model_there", [True, False])
def test_on_this_machine(tmp_path: Path, model_there: bool) -> None:
    """The whole command, in a folder without models and with one."""
    from launch.config.tree import DetectorConfig

    pytest.importorskip("mujoco")
    name = DetectorConfig().model if model_there else "another"
    (tmp_path / "models" / name).mkdir(parents=True)
    (tmp_path / "models" / name / "model.onnx").write_bytes(engines.PROBE_MODEL)
    places = {"XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path)}  # librealsense writes under the home folder
    environment = {**os.environ, **places, "EYEHAND_NO_EGL": "1"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "eyehand.py"), "doctor", "--json"],
        capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=60, check=False,
    )  # fmt: skip
    report = json.loads(done.stdout)
    by_name = {row["name"]: row for row in report["findings"]}
    packaged = (ROOT / "deploy" / "models" / DetectorConfig().model / "model.onnx").is_file()
    assert by_name["models"]["status"] == ("ok" if model_there or packaged else "missing")
    assert by_name["mujoco"]["status"] == "ok"
    assert by_name["opengl"]["status"] == "missing"
    lacks = [row["name"] for row in report["findings"] if row["required"] and row["status"] != "ok"]
    assert report["ok"] is (lacks == [])
    assert done.returncode == (3 if lacks else 0), done.stderr
    assert all(row["remedy"] for row in report["findings"] if row["status"] != "ok")
