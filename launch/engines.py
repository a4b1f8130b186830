"""The detector's engine: which artifact of its model runs on which backend, as configured or as measured."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

from deploy.artifacts import artifact_for
from deploy.backend import Backend
from deploy.errors import BadInput, EyehandError
from deploy.model_store import MODEL_FILE, Model, ModelStore
from deploy.passport import Passport, file_sha256
from deploy.policy_passport import AnyPassport, as_detector
from deploy.selection import choose
from launch import plugins
from launch.config.tree import DetectorConfig, FallbackEngineConfig
from perception.detector import Detector

AUTO = "auto"


def default_threads() -> int:
    """Threads inside one operator that a run takes: two, as far as there are cores, for the rest has to run as well."""
    return min(2, os.cpu_count() or 1)


def open_engine(backend: str, path: Path, threads: int, where: str = "--backend") -> Backend:
    """Load a file on an engine.

    Args:
        backend: Registered name of the engine.
        path: The file.
        threads: Threads inside one operator.
        where: Option or section that names the engine, for messages.

    Raises:
        BadInput: If there is no such engine, or it refuses the file.
        Missing: If it is not installed.
    """
    engine: Backend = plugins.build("backends", backend, where, path=path, threads=threads)
    return engine


def resolve_engines(detector: DetectorConfig, threads: int) -> DetectorConfig:
    """Replace what is chosen automatically by what was chosen, and note which files run.

    Args:
        detector: As configured.
        threads: Threads of the engine.

    Raises:
        BadInput: If a model or an artifact is not there, its passport does not match, or the file that is asked for
            does not suit engine and precision.
        Missing: If no engine runs it on this machine.
    """
    model = ModelStore().find(detector.model)
    backend, why = detector.backend, None
    precision = detector.precision if model.onnx_path.name == MODEL_FILE else _of_itself(model, detector.precision)
    asked = _asked_file(model, detector, precision)
    if AUTO in (backend, precision):
        there = _artifacts(model)
        there = there if asked is None else {asked: there[asked]}
        names = plugins.names("backends") if backend == AUTO else [backend]
        choice = choose(
            there, {name: partial(open_engine, name, where="detector") for name in names}, threads, precision=precision
        )
        backend, why = choice.backend, choice.why
        file = choice.file
    else:
        file = asked or _file(model, backend, precision)
    path, passport = _artifact(model, file)
    again = path.name == detector.file  # resolved before, and not changed since
    if why is None and again:  # a recording says why
        why = detector.why
    fallback = detector.fallback
    if fallback is not None and not again:
        fallback = fallback.model_copy(update={"file": None})
    if fallback is not None:
        fallback = _resolve_fallback(fallback, backend, passport.precision if passport is not None else "fp32")
    return detector.model_copy(
        update={
            "backend": backend, "precision": _called(passport), "threads": threads, "why": why,
            "file": path.name, "sha256": _sha256(model, path, passport), "fallback": fallback,
        }
    )  # fmt: skip


def load_detector(
    model_name: str | Path,
    *,
    backend: str = "onnxruntime",
    precision: str = "fp32",
    file: str | None = None,
    threads: int = 1,
    type_name: str = "network",
    **thresholds: Any,
) -> tuple[Detector, str]:
    """Load an artifact of a model on an engine, prove it with one inference, and hold its passport against it.

    Args:
        model_name: Name in the store, or path of an .onnx file.
        backend: Registered name of the engine.
        precision: `fp32`, `fp16` or `int8`; the artifact of that precision that suits the engine.
        file: Name of the artifact's file, instead.
        threads: Threads of the engine.
        type_name: Registered name of the detector.
        thresholds: `confidence`, `iou`, `max_detections`, `class_agnostic` of the detector.

    Returns:
        The detector, and its engine's fingerprint.

    Raises:
        BadInput: If there is no such artifact, or it is not what its passport says.
        Missing: If the engine is not installed.
    """
    model = ModelStore().find(model_name)
    path, passport = _artifact(model, file or _file(model, backend, precision))
    engine = open_engine(backend, path, threads, "detector")
    _check(engine, passport)
    detector: Detector = plugins.build("detectors", type_name, "detector", backend=engine, **thresholds)
    return detector, engine.fingerprint


def _resolve_fallback(fallback: FallbackEngineConfig, backend: str, precision: str) -> FallbackEngineConfig:
    """The fallback runs on the same engine, in the same precision where it has such an artifact.

    What a recorded run used is used again where it is still there, whatever else was made since.
    """
    model = ModelStore().find(fallback.model)
    there = _artifacts(model)
    used = [file for file in artifact_for(backend) if file in there and there[file].name == fallback.file]
    here = [file for file in used if file_sha256(there[file]) == fallback.sha256]
    here += [file for file in artifact_for(backend, precision.split("-")[0]) if file in there]
    path, passport = _artifact(model, here[0] if here else _file(model, backend, "fp32"))
    return fallback.model_copy(update={"file": path.name, "sha256": _sha256(model, path, passport)})


def _artifacts(model: Model) -> dict[str, Path]:
    return {MODEL_FILE: model.onnx_path, **model.artifacts}


def _file(model: Model, backend: str, precision: str) -> str:
    """The best file of a precision for an engine.

    Raises:
        BadInput: If the model has none.
    """
    if precision == AUTO:
        raise BadInput("precision 'auto' is for a run, which measures: name fp32, fp16 or int8 here")
    wanted = artifact_for(backend, precision)
    if not wanted:
        raise BadInput(f"precision {precision} has no artifact that {backend} runs: choose another precision or engine")
    there = _artifacts(model)
    for file in wanted:
        if file in there:
            return file
    return model.artifact(wanted[0])[0].name  # which is not there, and says how to make it


def _artifact(model: Model, file: str) -> tuple[Path, Passport | None]:
    path, passport = model.artifact(model.onnx_path.name if file == MODEL_FILE else file)
    return path, as_detector(passport, model.name)


def _called(passport: AnyPassport | None) -> str:
    """What an artifact is called in the configuration: its precision without the style of the integers."""
    return "fp32" if passport is None else passport.precision.split("-")[0]


def _of_itself(model: Model, precision: str) -> str:
    """A file that is named by its path is what it is: for the choice among files it is the model, which is fp32."""
    return "fp32" if precision in (AUTO, _called(model.passport)) else precision


def _asked_file(model: Model, detector: DetectorConfig, precision: str) -> str | None:
    """The file to use by the configuration, in the model's folder; None leaves the choice.

    A file with its hash beside it is what a recorded run used. Where engine or precision were changed since it does not
    suit any more, and another is chosen.

    Raises:
        BadInput: If it is what somebody asked for, and it is not there or does not suit.
    """
    file = MODEL_FILE if detector.file == model.onnx_path.name else detector.file
    recorded = detector.sha256 is not None
    if file is None or (recorded and AUTO in (detector.backend, precision)):
        return None
    names = plugins.names("backends") if detector.backend == AUTO else [detector.backend]
    suited = list(dict.fromkeys(name for backend in names for name in artifact_for(backend, precision)))
    if file not in suited:
        if recorded:
            return None
        runs = " or ".join(suited) or "no file"
        raise BadInput(
            f"detector.file={detector.file}: {detector.backend} in {precision} runs {runs}; "
            "leave detector.file out, or set detector.backend and detector.precision that suit it"
        )
    if file not in _artifacts(model):
        _artifact(model, file)  # says how to make it
    return file


def _sha256(model: Model, path: Path, passport: Passport | None) -> str:
    return model.sha256 if passport is None or path == model.onnx_path else passport.sha256


def _check(engine: Backend, passport: Passport | None) -> None:
    if passport is None:
        return
    try:
        passport.check_metadata(engine.metadata)
        shape = "x".join(map(str, engine.io_spec.inputs[0].shape))
        if shape != passport.input:
            raise BadInput(
                f"the passport of {passport.name} ({passport.precision}) says input {passport.input} and the model has "
                f"{shape}: make the artifact again"
            )
    except EyehandError:
        engine.close()
        raise
