"""The steps from an artifact to an installed engine: build, prove, judge, time, and ship what pays."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from deploy.backend import Backend
from deploy.errors import BadInput, EyehandError, require
from deploy.gate import Accuracy, judge, judge_speed
from deploy.model_store import Model, ModelStore
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.passport import Passport, passport_path
from deploy.tensorrt.backend import TensorRtBackend
from deploy.tensorrt.build import build_engine, report
from deploy.tensorrt.machine import Machine, this_machine
from deploy.timing import Timing, durations_in_turns, p99_spread
from launch.building.engines import (
    Engine,
    engine_file,
    find_graph,
    first_passport,
    install,
    is_of,
    last_passport,
    remove,
)
from launch.building.order import Order, Outcome, power_mode
from launch.quantizing.install import folder
from perception.detector import NetworkDetector
from perception.evaluation import LabelledSet, compare, evaluate, open_labelled
from perception.evaluation.coco import MOST, NEAR_ZERO, OVERLAP

Progress = Callable[[str], None]
N = 300  # timed inferences
CONFIDENT = 0.25  # of the boxes that are compared one by one


def build_detector(order: Order, progress: Progress) -> Outcome:
    """Build an engine of a detector, and ship it, or FP16 where INT8 does not pay.

    Args:
        order: What to build.
        progress: Told each step.

    Raises:
        BadInput: If the model has no artifact of the precision, INT8 has nothing to be judged on, or TensorRT refuses
            it.
        PrecisionLost: If the engine does not compute in the precision.
        Missing: If TensorRT or the GPU is missing.
    """
    machine = this_machine()
    model = ModelStore().find(order.model)
    out = folder(model, order.out)
    find_graph(model, order.precision)
    if order.precision == "int8" and order.data is None:
        raise BadInput(
            "int8 is shipped only if it is about as good as fp32 here: give labelled images or a labelled bag to judge "
            "it on with --data"
        )
    labelled = None
    if order.data is not None:
        require("pycocotools.cocoeval", "eval")  # before minutes of building
        labelled = open_labelled(order.data, order.split)
    was_there = out.is_dir()
    out.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".build-", dir=out) as stage:
            return _Build(order, machine, model, out, Path(stage), labelled, progress).run()
    finally:
        if not was_there:
            with contextlib.suppress(OSError):  # an engine is in it
                out.rmdir()


class _Build:
    """One order being carried out."""

    def __init__(
        self, order: Order, machine: Machine, model: Model, out: Path, stage: Path, labelled: LabelledSet | None,
        progress: Progress,
    ) -> None:  # fmt: skip
        self._order, self._machine, self._model = order, machine, model
        self._out, self._stage, self._labelled, self._progress = out, stage, labelled, progress
        self._reference: Accuracy | None = None

    def run(self) -> Outcome:
        """Build, judge, time, install."""
        asked = self._make(self._order.precision)
        self._judge(asked)
        if asked.verdict is not None and not asked.verdict.ok:
            return self._outcome(asked, None, None)
        other = self._fp16() if asked.precision == "int8" else None
        if other is None:
            self._time([asked])
            asked.speed = "measured on target"
            if asked.precision == "int8":
                asked.speed += ", not compared with fp16"
            return self._outcome(asked, None, self._install(asked))
        noise = self._time([asked, other])
        assert asked.timing is not None
        assert other.timing is not None
        verdict = judge_speed("int8", asked.timing, "fp16", other.timing, noise)
        if verdict.ok:
            asked.speed = "verified"
            return self._outcome(asked, other, self._install(asked))
        asked.speed = "not faster than fp16"
        if other.report is not None:  # built just now
            self._judge(other)
            if other.verdict is not None and not other.verdict.ok:
                return self._outcome(asked, other, None, f"{verdict}; but it did not pass the gate: {other.verdict}")
            other.speed = "measured on target"
            self._install(other)
        note = str(verdict)
        if remove(self._out, "int8"):
            note += "; the older int8 engine was taken away"
        return self._outcome(asked, other, other, note)

    def _make(self, precision: str) -> Engine:
        graph, passport = find_graph(self._model, precision)
        machine = self._machine
        self._progress(f"building {precision} from {graph} with TensorRT {machine.version} on {machine.device.name}")
        built = build_engine(
            graph, precision, machine, workspace_mb=self._order.workspace_mb, cache=self._order.timing_cache
        )
        for part in built.shares:
            self._progress(f"{part.kept} of {part.asked} nodes that ask for {part.precision} compute in it")
        engine = Engine(precision, self._stage / engine_file(precision), graph)
        engine.path.write_bytes(built.content)
        target = machine.target(power_mode())
        about = {
            "model": self._model.name,
            "precision": precision,
            "graph": graph.name,
            **target.model_dump(mode="json"),
        }
        engine.report = report(built, about)
        first_passport(self._model, engine, passport, _metadata(graph), target)
        return engine

    def _fp16(self) -> Engine | None:
        """The FP16 engine to hold INT8 against: the one that is there, else a new one; None without its graph."""
        try:
            graph, passport = find_graph(self._model, "fp16")
        except BadInput as error:
            self._progress(f"int8 is not compared with fp16: {error}")
            return None
        there = self._out / engine_file("fp16")
        if there.is_file() and is_of(there, self._model, passport):
            try:
                TensorRtBackend(there).close()
                return Engine("fp16", there, graph)
            except EyehandError as error:
                self._progress(f"{there} is built again: {error}")
        return self._make("fp16")

    def _judge(self, engine: Engine) -> None:
        """Accuracy of an engine and of the float model, where there are labelled pictures."""
        if self._labelled is None:
            return
        if self._reference is None:
            self._progress(f"judging on {len(self._labelled)} pictures")
            self._reference = self._accuracy(OnnxRuntimeBackend(self._model.onnx_path))
        engine.accuracy = self._accuracy(TensorRtBackend(engine.path))
        engine.verdict = judge(self._reference, engine.accuracy)
        backends: list[Backend] = [OnnxRuntimeBackend(self._model.onnx_path), TensorRtBackend(engine.path)]
        try:
            before, after = (_detector(backend, CONFIDENT) for backend in backends)
            engine.parity = compare(before, after, (picture.image for picture in self._labelled)).to_dict()
        finally:
            for backend in backends:
                backend.close()

    def _accuracy(self, backend: Backend) -> Accuracy:
        assert self._labelled is not None
        try:
            found = evaluate(_detector(backend, NEAR_ZERO), self._labelled)
        finally:
            backend.close()
        return Accuracy(found.map50_95, found.per_class, found.frames, found.frames_sha256)

    def _time(self, engines: list[Engine]) -> float:
        """Time engines in turns; how far their 99th percentiles differ from themselves meanwhile, relative."""
        backends: list[TensorRtBackend] = []
        try:
            for engine in engines:
                backends.append(TensorRtBackend(engine.path))  # noqa: PERF401 - those that opened must be closed
            durations = durations_in_turns(backends, n=N)
        finally:
            for backend in backends:
                backend.close()
        for engine, backend, timing in zip(engines, backends, map(Timing.of, durations), strict=True):
            others = [item.precision for item in engines if item is not engine]
            turns = f", in turns with {others[0]}" if others else ""
            mode = power_mode()
            engine.timing, engine.fingerprint = timing, backend.fingerprint
            engine.conditions = f"{backend.graph_note}{turns}" + (f", power mode {mode}" if mode else "")
            self._progress(f"{engine.precision}: p50 {timing.p50_ms:.2f} ms, p99 {timing.p99_ms:.2f} ms")
        return max(map(p99_spread, durations))

    def _install(self, engine: Engine) -> Engine:
        passport = Passport.read(passport_path(engine.path))
        labels = f"{self._order.data} ({self._order.split})"
        return install(engine, self._out, last_passport(engine, passport, self._reference, labels))

    def _outcome(self, asked: Engine, other: Engine | None, shipped: Engine | None, note: str = "") -> Outcome:
        if shipped is None and not note:
            note = str(asked.verdict)
        return Outcome(self._model, asked, other, shipped, self._reference, self._machine, note)


def _detector(backend: Backend, confidence: float) -> NetworkDetector:
    return NetworkDetector(backend, confidence, OVERLAP, MOST)


def _metadata(graph: Path) -> dict[str, str]:
    onnx = require("onnx", "quantize")
    return {entry.key: entry.value for entry in onnx.load(str(graph)).metadata_props}
