"""An engine out of an ONNX graph: strongly typed, so that the graph alone says what computes in which precision."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.errors import BadInput, require
from deploy.tensorrt import timing_cache
from deploy.tensorrt.engine import deserialize
from deploy.tensorrt.layers import Layer, read_layers
from deploy.tensorrt.machine import Machine, make, make_log
from deploy.tensorrt.precision import Share, asked_precisions, check_asked, check_kept, shares

SHOWN = 3
_INVALID = re.compile(r"^Invalid Node - \S+ (\S+: Error Code \d+: [\w ]+ \()?")
_PLACE = re.compile(r" In \w+ at /| \[\w+\.cpp::")


@dataclass(frozen=True, slots=True)
class Built:
    """An engine and what its builder says of it.

    Attributes:
        content: The serialized engine.
        layers: What it runs.
        shares: How much of the precision that the graph asks for it keeps.
        seconds: Time of the build.
        timings: What became of the timing cache.
        warnings: Of TensorRT, each once.
    """

    content: bytes
    layers: tuple[Layer, ...]
    shares: tuple[Share, ...]
    seconds: float
    timings: str
    warnings: tuple[str, ...]


def build_engine(
    graph: Path, precision: str, machine: Machine, *, workspace_mb: int = 1024, cache: Path | None = None
) -> Built:
    """Build an engine and hold its layers against what the graph asks for.

    The network is strongly typed: FP16 and INT8 are in the graph, as types and as pairs of QuantizeLinear and
    DequantizeLinear. No flag asks for a precision.

    Args:
        graph: ONNX file with fixed shapes.
        precision: `fp16` or `int8`: what the graph must ask for.
        machine: TensorRT and the GPU.
        workspace_mb: Memory that the builder may use for the scratch of one layer [MiB].
        cache: Timings of earlier builds; default: the user's, for this TensorRT and GPU.

    Raises:
        BadInput: If the graph does not ask for the precision, or TensorRT refuses it, with its reasons.
        PrecisionLost: If the engine does not compute in the precision that the graph asks for.
    """
    onnx = require("onnx", "quantize")
    content = graph.read_bytes()
    try:
        asked = asked_precisions(onnx.load_from_string(content))
    except Exception as error:  # of protobuf: no common base
        raise BadInput(f"{graph} is no ONNX graph that can be read: {' '.join(str(error).split())[:120]}") from error
    check_asked(str(graph), asked, precision)
    log = make_log(machine.trt)
    started = time.perf_counter()
    cache = cache or timing_cache.default_path(machine)
    engine, timings = _build(machine, log, graph, content, workspace_mb, cache)
    seconds = time.perf_counter() - started
    layers = inspect(machine, log, graph, engine)
    found = shares(asked, layers)
    check_kept(str(graph), found)
    warnings = tuple(dict.fromkeys(" ".join(line.split()) for line in log.lines))
    return Built(engine, layers, found, seconds, timings, warnings)


def inspect(machine: Machine, log: Any, path: Path, content: bytes) -> tuple[Layer, ...]:
    """The layers of an engine."""
    runtime, engine = deserialize(machine, log, path, content)
    text = engine.create_engine_inspector().get_engine_information(machine.trt.LayerInformationFormat.JSON)
    del engine, runtime  # in this order: the engine needs its run time
    return read_layers(text)


def report(built: Built, about: Mapping[str, Any]) -> dict[str, Any]:
    """The build as JSON: what it is about, shares of the precisions, layers.

    Args:
        built: The engine.
        about: What to say first.
    """
    return {
        **about,
        "build_s": round(built.seconds, 1),
        "timing_cache": built.timings,
        "precision": {
            part.precision: {"asked": part.asked, "kept": part.kept, "others": dict(part.others)}
            for part in built.shares
        },
        "warnings": list(built.warnings),
        "layers": [layer.to_dict() for layer in built.layers],
    }


def _build(
    machine: Machine, log: Any, graph: Path, content: bytes, workspace_mb: int, cache: Path
) -> tuple[bytes, str]:
    trt = machine.trt
    builder = make(machine, "Builder", log)
    network = _network(trt, builder)
    parser = make(machine, "OnnxParser", network, log)
    if not parser.parse(content, str(graph)):
        raise BadInput(f"TensorRT {machine.version} cannot parse {graph}: {_parse_errors(parser, log)}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace_mb << 20)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    timings = timing_cache.attach(config, cache, log.lines)
    serialized = builder.build_serialized_network(network, config)
    if serialized is None or not serialized.nbytes:
        raise BadInput(
            f"TensorRT {machine.version} cannot build {graph} ({log.reason()}): give it more than "
            f"--workspace-mb {workspace_mb}, or change the graph"
        )
    timing_cache.keep(config, cache)
    return bytes(serialized), timings


def _network(trt: Any, builder: Any) -> Any:
    """An empty network whose types are those of the graph; the flag's number differs between versions."""
    return builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))


def _parse_errors(parser: Any, log: Any) -> str:
    """The reasons of the parser, on one line; it may stop at the first."""
    found = []
    for index in range(parser.num_errors):
        error = parser.get_error(index)
        where = f"{error.node_name()} ({error.node_operator()}): " if error.node_operator() else ""
        found.append(where + _sentence(error.desc()))
    found = list(dict.fromkeys(found)) or [log.reason()]
    rest = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + rest


def _sentence(text: str) -> str:
    """The reason in an error of the parser, without the node, which is named before, and the place in its source."""
    line = _INVALID.sub("", " ".join(text.split()))
    return _PLACE.split(line, maxsplit=1)[0][:240].rstrip(". ")
