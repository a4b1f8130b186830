"""The steps from a float detector to installed artifacts."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deploy.errors import BadInput, Missing, require
from deploy.gate import Accuracy, judge, margin
from deploy.model_store import Model, ModelStore
from deploy.passport import Calibration as CalibrationRecord
from deploy.quantize import calibrate, graph, half, lint, qdq, recipe
from launch.engines import open_engine
from launch.quantizing import install
from launch.quantizing.attempts import ENGINE, PRECISIONS, STYLE, Attempt
from launch.quantizing.judges import Judges, from_bags, from_data
from launch.quantizing.speed import judge_speeds
from perception.calibration import FrameRef, images, split, survey
from perception.detector import NetworkDetector
from perception.evaluation import Parity, compare
from perception.evaluation.coco import MOST, NEAR_ZERO, OVERLAP

Progress = Callable[[str], None]
RANKED_ON = 8  # frames
CONFIDENT = 0.25  # of the boxes that are compared one by one


@dataclass(frozen=True, slots=True)
class Order:
    """What to make, out of what.

    Attributes:
        model: Name in the store, or an .onnx file.
        bags: Recordings to calibrate on.
        data: Labelled pictures to judge on; None judges on frames of the bags that are held out.
        split: Part of those.
        frames: Frames to calibrate on.
        eval_frames: Frames to judge on.
        methods: Calibration methods to try.
        precisions: Artifacts to make.
        out: Folder to install them in; None is the model's own, or the user's for a packaged model.
        sensitivity: Rank the layers, also where accuracy does not ask for it.
        everything: Quantize head and decoding too.
        threads: Threads of the engines.
    """

    model: str
    bags: tuple[Path, ...]
    data: str | None = None
    split: str = "val"
    frames: int = 400
    eval_frames: int = 300
    methods: tuple[calibrate.Method, ...] = calibrate.METHODS
    precisions: tuple[str, ...] = PRECISIONS
    out: Path | None = None
    sensitivity: bool = False
    everything: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        for precision in self.precisions:
            if precision not in PRECISIONS:
                raise BadInput(f"--precision {precision}: expected some of {', '.join(PRECISIONS)}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        model: The float model.
        out: Folder of the artifacts.
        reference: Accuracy of the float model.
        labels: Who labelled what was judged on.
        calibration: What was calibrated on.
        seen: Frames in the recordings.
        distinct: Of these, those that differ.
        attempts: The artifacts.
        ranking: Layers with the power of their noise, worst first; empty if nobody asked.
        passed: Whether all artifacts passed the gate on accuracy; if not, nothing was installed.
    """

    model: Model
    out: Path
    reference: Accuracy
    labels: str
    calibration: CalibrationRecord
    seen: int
    distinct: int
    attempts: tuple[Attempt, ...]
    ranking: tuple[tuple[str, float], ...]
    passed: bool

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "model": self.model.name,
            "out": str(self.out),
            "passed": self.passed,
            "reference": {"map50_95": self.reference.map50_95, "per_class": dict(self.reference.per_class)},
            "evaluation": {
                "frames": self.reference.frames, "sha256": self.reference.frames_sha256, "labels": self.labels,
            },
            "calibration": {
                **self.calibration.model_dump(mode="json", exclude={"tried", "method"}),
                "seen": self.seen, "distinct": self.distinct,
            },
            "artifacts": [attempt.to_dict(self.reference) for attempt in self.attempts],
            "sensitivity": [{"node": node, "noise": noise} for node, noise in self.ranking],
        }  # fmt: skip


def quantize_detector(order: Order, progress: Progress) -> Outcome:
    """Make the artifacts, judge them, and install those that are good enough and worth it.

    Raises:
        BadInput: If model, recordings or labelled pictures cannot be used.
        Missing: If a package is not installed.
    """
    for module in ("onnx", "onnxruntime"):
        require(module, "quantize" if module == "onnx" else "cpu")
    require("pycocotools.cocoeval", "eval")
    model = ModelStore().find(order.model)
    out = install.folder(model, order.out)
    with (
        _detector("onnxruntime", model.onnx_path, order.threads, NEAR_ZERO) as reference,
        tempfile.TemporaryDirectory(prefix="eyehand-") as scratch,
    ):
        if reference.has_masks:
            raise BadInput(
                f"{model.name} is a segmentation model ({reference.layout}): the gate judges boxes, so nobody would "
                "see what fewer bits do to its masks; run it as it is, or quantize a detector"
            )
        judges, refs, seen, distinct = _frames(order, reference, progress)
        accuracy = judges.accuracy(reference)
        progress(f"the float model has mAP50-95 {accuracy.map50_95:.4f} on {accuracy.frames} frames ({judges.labels})")
        bench = _Workbench(order, model, reference, judges, accuracy, Path(scratch), progress)
        bench.calibrate(refs)
        attempts = [bench.make(precision) for precision in order.precisions]
        for attempt in attempts:
            attempt.verdict = judge(accuracy, attempt.accuracy)
            attempt.reason = str(attempt.verdict) if not attempt.verdict.ok else "; ".join(attempt.lint)
            attempt.ship = not attempt.reason
        passed = all(attempt.verdict.ok for attempt in attempts)
        if passed:
            judge_speeds(attempts, model.onnx_path, order.threads, progress)
            for attempt in attempts:
                attempt.parity = bench.parity(attempt)
        else:
            for attempt in attempts:
                attempt.ship, attempt.reason = False, attempt.reason or "another artifact did not pass the gate"
        record = bench.record(refs)
        ranking = bench.ranking() if order.sensitivity else ()
        if passed:
            install.install(model, out, attempts, record, accuracy, judges.labels, order.threads)
    return Outcome(model, out, accuracy, judges.labels, record, seen, distinct, tuple(attempts), ranking, passed)


def _frames(
    order: Order, reference: NetworkDetector, progress: Progress
) -> tuple[Judges, tuple[FrameRef, ...], int, int]:
    """What to judge on, what to calibrate on, and how many frames there were, all and distinct."""
    judges = None
    if order.data is not None:
        judges = from_data(order.data, order.split, order.eval_frames)
    found = survey(order.bags, judges.pictures() if judges is not None else ())
    chosen = split(found, order.frames, 0 if judges is not None else order.eval_frames)
    if judges is None:
        if not chosen.held_out:
            raise BadInput(
                f"{', '.join(map(str, order.bags))}: {len(found.refs)} distinct frames leave none to judge on: give "
                "labelled pictures with --data, or record more"
            )
        judges = from_bags(order.bags, chosen.held_out, reference)
    progress(
        f"{found.seen} frames in the recordings, {len(found.refs)} distinct: calibrating on {len(chosen.calibration)}"
    )
    return judges, chosen.calibration, found.seen, len(found.refs)


class _Workbench:
    """Makes artifacts of one model from one calibration."""

    def __init__(
        self, order: Order, model: Model, reference: NetworkDetector, judges: Judges, accuracy: Accuracy,
        scratch: Path, progress: Progress,
    ) -> None:  # fmt: skip
        self._order, self._model, self._judges = order, model, judges
        self._reference, self._goal, self._scratch, self._progress = reference, accuracy, scratch, progress
        self._source = graph.load(model.onnx_path)
        self._digest = hashlib.sha256()
        self._ranked: list[dict[str, np.ndarray]] = []
        self._found: dict[str, recipe.Result] = {}

    def calibrate(self, refs: Sequence[FrameRef]) -> None:
        """Count the values of all tensors on the frames, as the production preprocessor gives them."""
        self._calibration = calibrate.collect(self._model.onnx_path, self._feeds(refs), self._order.threads)

    def make(self, precision: str) -> Attempt:
        """Make one artifact and measure how good it is."""
        path = self._scratch / f"model.{precision}.onnx"
        engine = _available(ENGINE[precision])
        style: qdq.Style | None = STYLE.get(precision)  # type: ignore[assignment]
        attempt = Attempt(precision, path, engine, Accuracy(0.0, {}, 0, ""))
        if style is None:
            made = half.to_fp16(self._source)
        else:
            result = self._search(style)
            if precision.endswith("fp16"):
                made = half.quantize_s8_fp16(self._source, result.ranges, result.float_nodes)
            elif self._order.everything:
                made = qdq.quantize(self._source, result.ranges, style, everything=True)
            else:
                made = result.model
            attempt.method, attempt.float_nodes = result.method, tuple(sorted(result.float_nodes))
            attempt.restored = result.restored
            attempt.tried = {trial.method: trial.map50_95 for trial in result.trials if not trial.restored}
            if style == "s8" and not self._order.everything:
                attempt.lint = tuple(map(str, lint.lint(made)))
        graph.save(made, path)
        attempt.accuracy = self._accuracy(engine, path)
        self._progress(f"{precision}: mAP50-95 {attempt.accuracy.map50_95:.4f} on {engine}")
        return attempt

    def parity(self, attempt: Attempt) -> Parity:
        """The boxes of an artifact against those of the float model."""
        threads = self._order.threads
        with (
            _detector("onnxruntime", self._model.onnx_path, threads, CONFIDENT) as before,
            _detector(attempt.engine, attempt.path, threads, CONFIDENT) as after,
        ):
            return compare(before, after, self._judges.pictures())

    def record(self, refs: Sequence[FrameRef]) -> CalibrationRecord:
        """What was calibrated on, for the passports; the method is the attempt's."""
        sources = tuple(sorted({f"{ref.bag.name}/{ref.camera}" for ref in refs}))
        return CalibrationRecord(method="", frames=len(refs), sha256=self._digest.hexdigest(), sources=sources)

    def ranking(self) -> tuple[tuple[str, float], ...]:
        """The layers by what each alone in 8 bits does, worst first."""
        from deploy.quantize.sensitivity import rank_layers

        result = next(iter(self._found.values()), None) or self._search("s8")
        ranked = result.ranking or rank_layers(self._source, result.ranges, result.style, self._ranked)
        return tuple((entry.node, entry.noise) for entry in ranked)

    def _search(self, style: qdq.Style) -> recipe.Result:
        if style not in self._found:
            engine = _available(ENGINE[f"int8-{style}"])
            methods = self._order.methods[:1] if self._order.everything else self._order.methods
            self._found[style] = recipe.search(
                self._model.onnx_path, self._calibration, lambda path: self._accuracy(engine, path), style, methods,
                None if self._order.everything else lambda found: margin(self._goal, found), self._ranked,
            )  # fmt: skip
        return self._found[style]

    def _accuracy(self, engine: str, path: Path) -> Accuracy:
        with _detector(engine, path, self._order.threads, NEAR_ZERO) as detector:
            return self._judges.accuracy(detector)

    def _feeds(self, refs: Sequence[FrameRef]) -> Iterator[dict[str, np.ndarray]]:
        name = self._source.graph.input[0].name
        for number, (_, image) in enumerate(images(refs)):
            tensor = self._reference.preprocess(image)
            self._digest.update(tensor.tobytes())
            feed = {name: tensor.copy()}
            if number % max(1, len(refs) // RANKED_ON) == 0 and len(self._ranked) < RANKED_ON:
                self._ranked.append(feed)
            yield feed


@contextmanager
def _detector(engine: str, path: Path, threads: int, confidence: float) -> Iterator[NetworkDetector]:
    """A detector for as long as it is needed: engines hold threads and memory until they are closed."""
    backend = open_engine(engine, path, threads)
    try:
        yield NetworkDetector(backend, confidence, OVERLAP, MOST)
    finally:
        backend.close()


def _available(engine: str) -> str:
    """The engine, or ONNX Runtime where it is not installed: 8 bits are 8 bits, only their speed differs."""
    try:
        require(engine, engine)
    except Missing:
        return "onnxruntime"
    return engine
