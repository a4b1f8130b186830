"""Artifacts and their passports, put where the store finds them: all of them whole, or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deploy.errors import BadInput
from deploy.gate import Accuracy
from deploy.model_store import Model, default_search
from deploy.passport import Calibration, Latency, Passport, file_sha256, passport_path
from deploy.policy_passport import as_detector
from deploy.timing import Timing
from launch.machine import installed, machine_facts
from launch.quantizing.attempts import Attempt


def folder(model: Model, out: Path | None) -> Path:
    """Where artifacts go: what was asked for, else beside the model; of a packaged model into the user's folder.

    Raises:
        BadInput: If the model is not one of the store: a name and a passport belong to an artifact; if it is an
            artifact itself; or if the folder cannot be written to, which is better known before than after.
    """
    passport = as_detector(model.passport, model.name)
    if passport is None:
        raise BadInput(
            f"{model.onnx_path} has no passport, which says what its tensors mean: make a model "
            "folder with eyehand export detector"
        )
    if passport.precision != "fp32":
        raise BadInput(f"{model.onnx_path} is itself an artifact ({passport.precision}): name the fp32 model")
    *_, user, packaged = default_search()
    if out is None:
        out = user / model.name if model.path.parent.resolve() == packaged.resolve() else model.path
    there = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not there.is_dir():
        raise BadInput(f"--out {out}{' is' if there == out else f': {there} is'} a file: name a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise BadInput(f"{there} cannot be written to: name another folder with --out")
    return out


def install(
    model: Model, out: Path, attempts: Sequence[Attempt], calibration: Calibration, reference: Accuracy,
    labels: str, threads: int | None = None,
) -> None:  # fmt: skip
    """Write files and passports; an older artifact that is not to be shipped any more is taken away.

    All is written beside first, so that a disk that is full leaves what was there as it was.

    Raises:
        BadInput: If it cannot be written.
    """
    try:
        _install(model, out, attempts, calibration, reference, labels, threads)
    except OSError as error:  # which may name a file that nobody knows of
        raise BadInput(
            f"{out} does not take the artifacts ({error.strerror or error}): make room there, or name another folder "
            "with --out"
        ) from error


def _install(
    model: Model, out: Path, attempts: Sequence[Attempt], calibration: Calibration, reference: Accuracy,
    labels: str, threads: int | None,
) -> None:  # fmt: skip
    source = as_detector(model.passport, model.name)
    assert source is not None
    out.mkdir(parents=True, exist_ok=True)
    shipped = [attempt for attempt in attempts if attempt.ship]
    with tempfile.TemporaryDirectory(prefix=".quantize-", dir=out) as stage:
        for attempt in shipped:
            file = Path(stage) / attempt.file
            shutil.copyfile(attempt.path, file)
            passport = _passport(model, source, attempt, calibration, reference, labels, threads, file)
            passport.write(passport_path(file))
        for attempt in attempts:
            passport_path(out / attempt.file).unlink(missing_ok=True)  # never an artifact with another's passport
            if not attempt.ship:
                (out / attempt.file).unlink(missing_ok=True)
        for attempt in shipped:
            file = Path(stage) / attempt.file
            file.replace(out / file.name)
            passport_path(file).replace(passport_path(out / file.name))


def _passport(
    model: Model, source: Passport, attempt: Attempt, calibration: Calibration, reference: Accuracy, labels: str,
    threads: int | None, file: Path,
) -> Passport:  # fmt: skip
    quantized = attempt.method is not None
    parity = attempt.parity.to_dict() if attempt.parity is not None else {}
    after = attempt.accuracy
    return source.model_copy(
        update={
            "name": model.name,
            "status": "final",
            "precision": attempt.precision,
            "sha256": file_sha256(file),
            "size_bytes": file.stat().st_size,
            "source": {"name": model.onnx_path.name, "sha256": model.sha256},
            "made_by": installed("eyehand", "onnx", "onnxruntime", "openvino"),
            "calibration": calibration.model_copy(
                update={"method": attempt.method, "tried": dict(attempt.tried)}
            ) if quantized else None,
            "float_nodes": tuple(attempt.float_nodes),
            "parity": {
                **parity,
                "reference_sha256": model.sha256,
                "engine": attempt.engine,
                "labels": labels,
                "frames_sha256": reference.frames_sha256,
                "map50_95": after.map50_95,
                "reference_map50_95": reference.map50_95,
                "class_delta": {name: after.per_class.get(name, 0.0) - ap for name, ap in reference.per_class.items()},
            },
            "latency": _latencies(attempt, threads),
            "speed": attempt.speed,
            "metrics": {},
        }
    )  # fmt: skip


def _latencies(attempt: Attempt, threads: int | None) -> tuple[Latency, ...]:
    machine = str(machine_facts().get("cpu", "unknown"))
    pairs: list[tuple[Timing | None, str]] = [
        (attempt.timing, "in turns with fp32"), (attempt.float_timing, "fp32, in turns with the artifact"),
    ]  # fmt: skip
    return tuple(
        Latency(
            backend=attempt.engine, machine=machine, threads=threads, n=timing.n, p50_ms=round(timing.p50_ms, 3),
            p99_ms=round(timing.p99_ms, 3), conditions=conditions,
        )
        for timing, conditions in pairs
        if timing is not None
    )  # fmt: skip
