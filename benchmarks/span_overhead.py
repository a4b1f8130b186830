"""What a span costs: our row per activation beside the spans of other tools, in one run.

    python benchmarks/span_overhead.py [--spans 200000] [--json]

Our span is what the executor does around a stage: two readings of the clock, and a row of the ledger with all of its
fields. Every span is timed on its own, the tools in turn, a batch at a time, so what else the machine does meets all
of them; what the timing itself costs is taken off. The others are in `pip install 'eyehand[bench]'`; one that is not
installed is named and left out.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from deploy.ring import RowRing
from launch.ledger import ROW, Ledger, Outcome, Rung, Stage
from launch.machine import machine_facts

BATCH = 2_000
OURS = "eyehand"
TARGET_US = 0.5
INSTALL = "pip install 'eyehand[bench]'"
Spans = Callable[[list[int]], None]


def nothing() -> Spans:
    """What the timing of a span costs."""
    clock = time.perf_counter_ns

    def spans(taken: list[int]) -> None:
        for index in range(len(taken)):
            start = clock()
            taken[index] = clock() - start

    return spans


def clock_pair() -> Spans:
    clock = time.perf_counter_ns

    def spans(taken: list[int]) -> None:
        for index in range(len(taken)):
            start = clock()
            began = time.perf_counter_ns()
            _ = time.perf_counter_ns() - began
            taken[index] = clock() - start

    return spans


def eyehand(keywords: bool) -> Spans:
    clock, ledger = time.perf_counter_ns, Ledger()
    stage, outcome, rung = Stage.DETECT, Outcome.OK, Rung.DROP  # local names in the executor too

    def spans(taken: list[int]) -> None:
        for index in range(len(taken)):
            start = clock()
            began = time.perf_counter_ns()
            measured = time.perf_counter_ns() - began
            ledger.append(
                stage, index, began, began, camera=0, input_sequence=index, other=-1, outcome=outcome,
                decision=0, modelled_ns=measured, measured_ns=measured, wait_ns=0, frame=index, engine=0, rung=rung,
            )  # fmt: skip
            taken[index] = clock() - start

    def by_position(taken: list[int]) -> None:
        for index in range(len(taken)):
            start = clock()
            began = time.perf_counter_ns()
            measured = time.perf_counter_ns() - began
            ledger.append(stage, index, began, began, 0, index, -1, outcome, 0, measured, measured, 0, index, 0, rung)
            taken[index] = clock() - start

    return spans if keywords else by_position


def bare_ring() -> Spans:
    clock, ring = time.perf_counter_ns, RowRing(ROW, 16384)

    def spans(taken: list[int]) -> None:
        for index in range(len(taken)):
            start = clock()
            ring.append(1, 0, 0, 0, index, index, -1, start, start, 0, 0, 0, index, 0, 0)
            taken[index] = clock() - start

    return spans


def opentelemetry(attributes: bool) -> Spans:
    """A span of the SDK that nothing exports: what is left is its making, its context and its end."""
    sdk: Any = importlib.import_module("opentelemetry.sdk.trace")
    tracer, clock = sdk.TracerProvider().get_tracer("benchmark"), time.perf_counter_ns

    def spans(taken: list[int]) -> None:
        for index in range(len(taken)):
            start = clock()
            with tracer.start_as_current_span("detect"):
                pass
            taken[index] = clock() - start

    def with_attributes(taken: list[int]) -> None:
        for index in range(len(taken)):
            start = clock()
            with tracer.start_as_current_span("detect") as span:
                span.set_attributes(
                    {"sequence": index, "camera": 0, "input": index, "other": -1, "outcome": 0, "decision": 0,
                     "photon_ns": start, "wait_ns": 0, "frame": index, "engine": 0, "rung": 0}
                )  # fmt: skip
            taken[index] = clock() - start

    return with_attributes if attributes else spans


def viztracer() -> Spans:
    """A custom event; functions are not traced."""
    module: Any = importlib.import_module("viztracer")
    tracer, clock = module.VizTracer(verbose=0, log_sparse=True, tracer_entries=16384), time.perf_counter_ns

    def spans(taken: list[int]) -> None:
        tracer.start()
        for index in range(len(taken)):
            start = clock()
            with tracer.log_event("detect"):
                pass
            taken[index] = clock() - start
        tracer.stop()

    return spans


def prometheus() -> Spans:
    """Two readings of the clock, and an observation in a histogram with the default buckets."""
    module: Any = importlib.import_module("prometheus_client")
    registry = module.CollectorRegistry()
    histogram = module.Histogram("stage_seconds", "Duration of a stage.", ["stage"], registry=registry).labels("detect")
    clock = time.perf_counter_ns

    def spans(taken: list[int]) -> None:
        for index in range(len(taken)):
            start = clock()
            began = time.perf_counter()
            histogram.observe(time.perf_counter() - began)
            taken[index] = clock() - start

    return spans


TOOLS: dict[str, Callable[[], Spans]] = {
    OURS: lambda: eyehand(keywords=False),
    "eyehand, fields by keyword": lambda: eyehand(keywords=True),
    "RowRing.append alone": bare_ring,
    "perf_counter_ns twice": clock_pair,
    "prometheus_client histogram": prometheus,
    "viztracer log_event": viztracer,
    "opentelemetry span": lambda: opentelemetry(attributes=False),
    "opentelemetry span, 11 attributes": lambda: opentelemetry(attributes=True),
}


def measure(count: int) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Microseconds of a span by tool, and the tools that are not installed."""
    running, missing = {"": nothing()}, []
    for name, build in TOOLS.items():
        try:
            running[name] = build()
        except ImportError as error:
            missing.append(f"{name}: {error}: {INSTALL}")
    batches: dict[str, list[np.ndarray]] = {name: [] for name in running}
    for begin in range(0, count, BATCH):
        taken = [0] * min(BATCH, count - begin)
        for name, spans in running.items():
            spans(taken)
            batches[name].append(np.array(taken))
    taken_us = {name: np.concatenate(parts) / 1e3 for name, parts in batches.items()}
    timing_us = float(np.median(taken_us.pop("")))
    ours_us = float(np.median(taken_us[OURS])) - timing_us
    return {
        name: {
            "median_us": float(np.median(values)) - timing_us,
            "p99_us": float(np.percentile(values, 99)) - timing_us,
            "ratio": (float(np.median(values)) - timing_us) / ours_us,
        }
        for name, values in taken_us.items()
    }, missing


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--spans", type=int, default=200_000, help="of each tool (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the object only")
    options = parser.parse_args()
    if options.spans < 1:
        parser.error(f"--spans {options.spans}: expected at least 1")
    spans, missing = measure(options.spans)
    ours = spans[OURS]["median_us"]
    result = {
        "spans": spans, "n": options.spans, "target_us": TARGET_US, "kept": ours <= TARGET_US, "missing": missing,
        "machine": machine_facts(),
    }  # fmt: skip
    if not options.json:
        print(f"{'span':34s} {'median us':>9s} {'p99 us':>8s} {'to ours':>8s}")
        for name, row in spans.items():
            print(f"{name:34s} {row['median_us']:9.2f} {row['p99_us']:8.2f} {row['ratio']:7.1f}x")
        for line in missing:
            print(f"left out: {line}")
        print(f"target {TARGET_US} us: {'kept' if ours <= TARGET_US else 'not kept'}; {options.spans} spans of each")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
