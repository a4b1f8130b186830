"""What computes: inference engines, each proved by an inference, the simulator, OpenGL, and the models in the store."""

from __future__ import annotations

import base64
import importlib.util
import os
import re
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from deploy.errors import EyehandError, Missing, require
from deploy.model_store import ModelStore
from launch.doctor.finding import Check, Finding, one_line

CPU = "CPUExecutionProvider"
REMOTE = ("AzureExecutionProvider",)  # an engine elsewhere: nothing here to prove

# A graph of one Conv: input x (1, 1, 4, 4), a 3x3 kernel of ones, output y (1, 1, 2, 2). A convolution also finds out
# that a CUDA provider lacks cuDNN. It stands here as bytes because the onnx package is no part of the run time.
PROBE_MODEL = base64.b64decode(
    "CAg6hwEKDwoBeAoBdxIBeSIEQ29udhIFcHJvYmUqMwgBCAEIAwgDEAFCAXdKJAAAgD8AAIA/AACAPwAAgD8AAIA/AACAPwAAgD8AAIA/"
    "AACAP1obCgF4EhYKFAgBEhAKAggBCgIIAQoCCAQKAggEYhsKAXkSFgoUCAESEAoCCAEKAggBCgIIAgoCCAJCBAoAEA0="
)
PROBE_INPUT = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
PROBE_ANSWER = np.array([[[[45.0, 54.0], [81.0, 90.0]]]], dtype=np.float32)

TENSORRT_REMEDY = "not needed; on a Jetson: apt-get install python3-libnvinfer, and a venv with --system-site-packages"
OPENVINO_REMEDY = "not needed; pip install 'eyehand[openvino]'"
GL_REMEDY = "not needed, ray casting is slower; apt-get install libegl1 libgl1 libgl1-mesa-dri"


def provider_checks() -> list[Check]:
    """A check for each engine inside ONNX Runtime; its list tells what was compiled in, not what works."""
    try:
        available = [name for name in require("onnxruntime", "cpu").get_available_providers() if name not in REMOTE]
    except Exception:  # the CPU's check meets it again and reports it
        available = []
    others = [name for name in available if name != CPU]
    return [
        Check(f"onnxruntime {name.removesuffix('ExecutionProvider')}", partial(provider, name), required=name == CPU)
        for name in (CPU, *others)
    ]


def provider(name: str) -> Finding:
    """One engine of ONNX Runtime, by an inference whose answer is known."""
    title = f"onnxruntime {name.removesuffix('ExecutionProvider')}"
    try:
        ort = require("onnxruntime", "cpu")
    except Missing as error:
        return Finding(
            title, "missing", one_line(error), "pip install 'eyehand[cpu]', or 'eyehand[gpu]' for an NVIDIA GPU"
        )
    options = ort.SessionOptions()
    options.log_severity_level = 4  # the reason is in the finding
    options.intra_op_num_threads = 1
    remedy = "check the engine's driver and libraries, or install onnxruntime without it"
    try:
        session = ort.InferenceSession(PROBE_MODEL, options, providers=[name])
        answer = session.run(None, {"x": PROBE_INPUT})[0]
    except Exception as error:  # its exceptions have no common base
        return Finding(title, "problem", one_line(error), remedy)
    used = session.get_providers()[0]
    if used != name:
        return Finding(title, "problem", f"it fell back to {used} in silence", remedy)
    if not np.allclose(answer, PROBE_ANSWER, rtol=1e-2):  # GPUs may convolve in TF32
        return Finding(title, "problem", f"wrong answer {answer.ravel().tolist()}", remedy)
    return Finding(title, "ok", f"onnxruntime {ort.__version__}, proved by an inference")


def tensorrt() -> Finding:
    """TensorRT with its CUDA and GPU, by an inference of an engine out of the store."""
    title = "tensorrt"
    if importlib.util.find_spec(title) is None:
        return Finding(title, "missing", "not installed", TENSORRT_REMEDY)
    from deploy.tensorrt.backend import TensorRtBackend
    from deploy.tensorrt.machine import make, make_log, this_machine

    remedy = "the reason says what to install; on a Jetson see docs/jetson.md"
    try:
        machine = this_machine()
        make(machine, "Runtime", make_log(machine.trt))
    except Missing as error:
        return Finding(title, "problem", one_line(error), remedy)
    here = f"TensorRT {machine.version} on {machine.device.name}"
    engine = _engine_in_store()
    if engine is None:
        detail = f"{here} answers; the store has no engine, so no inference was made"
        return Finding(title, "missing", detail, "eyehand build MODEL --precision fp16")
    try:
        backend = TensorRtBackend(engine)  # it runs once, or refuses
    except EyehandError as error:
        return Finding(title, "problem", one_line(error), "eyehand build, on this machine")
    note = backend.graph_note
    backend.close()
    return Finding(title, "ok", f"{here}, proved by an inference of {engine.parent.name}/{engine.name}; {note}")


def openvino() -> Finding:
    """OpenVINO on the processor, by an inference whose answer is known."""
    title = "openvino"
    if importlib.util.find_spec(title) is None:
        return Finding(title, "missing", "not installed", OPENVINO_REMEDY)
    from deploy.openvino_backend import OpenVinoBackend

    remedy = "pip install --force-reinstall openvino"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe.onnx"
        path.write_bytes(PROBE_MODEL)
        try:
            backend = OpenVinoBackend(path)
            answer = backend.infer({"x": PROBE_INPUT})["y"].copy()
        except EyehandError as error:
            return Finding(title, "problem", one_line(error), remedy)
    version = re.search(r"openvino-\S+", backend.fingerprint)
    backend.close()
    if not np.allclose(answer, PROBE_ANSWER, rtol=1e-2):
        return Finding(title, "problem", f"wrong answer {answer.ravel().tolist()}", remedy)
    return Finding(title, "ok", f"{version.group() if version else title}, proved by an inference")


def _engine_in_store() -> Path | None:
    """The first engine of the models in the store."""
    store = ModelStore()
    for name in store.names():
        try:
            artifacts = store.find(name).artifacts
        except EyehandError:  # the models' own finding
            continue
        for file, path in sorted(artifacts.items()):
            if file.endswith(".engine"):
                return path
    return None


def simulator() -> Finding:
    """MuJoCo, by a ball that falls."""
    try:
        mujoco = require("mujoco", "sim")
    except Missing as error:
        return Finding("mujoco", "missing", one_line(error), "pip install 'eyehand[sim]'")
    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><body><freejoint/><geom size='.1'/></body></worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data)
    mujoco.mj_step(model, data)
    if not data.qpos[2] < 0.0:
        return Finding(
            "mujoco", "problem", f"a ball does not fall: z = {data.qpos[2]}", "pip install --force-reinstall mujoco"
        )
    return Finding("mujoco", "ok", f"mujoco {mujoco.__version__}, proved by a step")


def opengl() -> Finding:
    """EGL, by a rendered frame; without it the simulator casts rays."""
    if importlib.util.find_spec("mujoco") is None:
        return Finding("opengl", "missing", "not tried: it is reached through mujoco", "pip install 'eyehand[sim]'")
    from robot.sim.render import egl_problem

    problem = egl_problem()
    if problem is None:
        return Finding("opengl", "ok", "EGL rendered a frame")
    remedy = "unset EYEHAND_NO_EGL" if os.environ.get("EYEHAND_NO_EGL") else GL_REMEDY
    return Finding("opengl", "missing", f"EGL cannot render ({one_line(problem, 160)}): ray casting instead", remedy)


def models(needed: str) -> Finding:
    """Models in the store, among them the one that the simulation uses, and whether their passports match.

    Args:
        needed: Name of that model.
    """
    store = ModelStore()
    names = ", ".join(store.names()) or "none"
    if needed not in store.names():
        folders = ", ".join(str(folder) for folder in store.search)
        remedy = f"eyehand train detector --out models/{needed}, or put a model.onnx there"
        return Finding("models", "missing", f"{needed} is not in {folders}; there: {names}", remedy)
    wrong = [problem for name in store.names() for problem in _mismatches(store, name)]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        return Finding("models", "problem", f"{one_line(wrong[0])}{more}", "make that file again, or take it away")
    return Finding("models", "ok", f"{names}; {needed} from {store.find(needed).path}")


def _mismatches(store: ModelStore, name: str) -> list[EyehandError]:
    """What does not match in a model: its passport, or one of its artifacts."""
    try:
        model = store.find(name)
    except EyehandError as error:
        return [error]
    found = []
    for file in model.artifacts:
        try:
            model.artifact(file)
        except EyehandError as error:
            found.append(error)
    return found
