"""A TensorRT engine as a backend: fixed buffers, named tensors, one stream, one CUDA graph where it can be recorded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from deploy.backend import IoSpec, Tensor
from deploy.backend_checks import check_arguments, check_inputs, expected_inputs, prove
from deploy.errors import BadInput, Missing
from deploy.passport import Passport, passport_path
from deploy.sniff import describe_file
from deploy.tensorrt.cuda import Buffer, Graph, Stream
from deploy.tensorrt.engine import deserialize, read_io_spec
from deploy.tensorrt.machine import Machine, make_log, this_machine

CUDA_GRAPH = ("auto", "on", "off")


class TensorRtBackend:
    """An engine in TensorRT.

    An engine says nothing about its classes or preprocessing, and loading one of another TensorRT or GPU ends in a
    crash or in wrong numbers: its passport must lie beside it, and is held against file and machine before it is
    loaded. Inputs are copied into pinned memory and from there to the GPU; on a GPU that shares the host's memory it
    reads them in place. Copies and inference are recorded as one CUDA graph, which is used if it gives the same
    numbers as the engine alone.

    Args:
        path: The .engine file.
        threads: No meaning here: the GPU decides; at least 1.
        cuda_graph: `on`, `off`, or `auto`: where it can be recorded.

    Raises:
        BadInput: If the file is no engine, was built for another machine, has no passport or another's, or cannot run.
        Missing: If TensorRT, CUDA or the GPU is missing.
    """

    def __init__(self, path: str | Path, threads: int = 1, cuda_graph: str = "auto") -> None:
        self._path, self._closed = Path(path), False
        self._graph: Graph | None = None
        self._stream: Stream | None = None
        self._buffers: dict[str, Buffer] = {}
        self._runtime: Any = None
        self._engine: Any = None
        self._context: Any = None
        check_arguments(self._path, threads, "an .engine file")
        if cuda_graph not in CUDA_GRAPH:
            raise BadInput(f"cuda_graph {cuda_graph!r}: expected {', '.join(CUDA_GRAPH)}")
        passport = _read_passport(self._path)
        passport.check_file(self._path)
        machine = this_machine()
        passport.check_target(machine.target())
        self._metadata = MappingProxyType(_metadata(passport))
        content = self._path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        self._log = make_log(machine.trt)
        try:
            self._open(machine, passport, content)
            self.graph_note = self._record(cuda_graph)
        except BaseException:
            self.close()
            raise
        self._fingerprint = (
            f"sha256:{digest} tensorrt-{machine.version} {machine.device.name} sm{machine.device.sm} "
            f"{'graph' if self._graph else 'no-graph'}"
        )

    @property
    def io_spec(self) -> IoSpec:
        """Inputs and outputs."""
        return self._io_spec

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the passport says of tensors and classes, under the keys that an ONNX file has; read-only."""
        return self._metadata

    @property
    def fingerprint(self) -> str:
        """Hash of the engine, TensorRT's version, GPU, its compute capability, with or without a CUDA graph."""
        return self._fingerprint

    def infer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the model once; see `Backend.infer`. The arrays are the backend's own: the next call overwrites them."""
        if self._closed:
            raise BadInput(f"backend of {self._path} is closed: build a new one")
        check_inputs(self._expected, inputs)
        for name, host in self._hosts.items():
            np.copyto(host, inputs[name])
        if self._graph is not None:
            self._graph.launch()
        else:
            self._queue()
        self._synchronize()
        return dict(self._outputs)

    def close(self) -> None:
        """Release graph, context, engine, buffers and stream; calling it again does nothing."""
        self._closed = True
        self._hosts: dict[str, Tensor] = {}
        self._outputs: dict[str, Tensor] = {}
        if self._graph is not None:
            self._graph.close()
        self._graph = self._context = self._engine = self._runtime = None  # in the order in which they need each other
        buffers, self._buffers = self._buffers, {}
        for buffer in buffers.values():
            buffer.free()
        if self._stream is not None:
            self._stream.close()

    def _open(self, machine: Machine, passport: Passport, content: bytes) -> None:
        self._runtime, self._engine = deserialize(machine, self._log, self._path, content)
        self._io_spec = read_io_spec(machine, self._engine, self._path)
        _check_io(passport, self._io_spec)
        self._expected = expected_inputs(self._io_spec)
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise Missing(f"TensorRT has no memory to run {self._path} ({self._log.reason()}): close other programs")
        cuda, device = machine.cuda, machine.device
        self._stream = Stream(cuda)
        mapped = device.integrated and device.maps_host
        for spec in (*self._io_spec.inputs, *self._io_spec.outputs):
            buffer = self._buffers[spec.name] = Buffer(cuda, spec, mapped)
            if not self._context.set_tensor_address(spec.name, buffer.address):
                raise BadInput(f"TensorRT takes no address for {spec} of {self._path}: {self._log.reason()}")
        self._hosts = {spec.name: self._buffers[spec.name].host for spec in self._io_spec.inputs}
        self._outputs = {spec.name: self._buffers[spec.name].host for spec in self._io_spec.outputs}
        prove(self._path, f"TensorRT {machine.version}", self._io_spec, self.infer)

    def _queue(self) -> None:
        """Queue copies and inference on the stream."""
        assert self._stream is not None
        for spec in self._io_spec.inputs:
            self._buffers[spec.name].to_gpu(self._stream)
        if not self._context.execute_async_v3(self._stream.handle):
            raise Missing(f"TensorRT stopped running {self._path}: {self._log.reason()}")
        for spec in self._io_spec.outputs:
            self._buffers[spec.name].to_host(self._stream)

    def _synchronize(self) -> None:
        assert self._stream is not None
        self._stream.synchronize()

    def _record(self, cuda_graph: str) -> str:
        """Record the graph and hold its numbers against the engine's own; says why there is none."""
        if cuda_graph == "off":
            return "no CUDA graph: switched off"
        assert self._stream is not None
        probe = _probe(self._io_spec, 0)
        plain = {name: value.copy() for name, value in self.infer(probe).items()}
        self.infer(_probe(self._io_spec, 1))  # an empty recording would leave what was there
        try:
            self._graph = self._stream.capture(self._queue)
            replayed = self.infer(probe)
            if all(np.allclose(replayed[name], plain[name], 1e-2, 1e-3, equal_nan=True) for name in plain):
                return "CUDA graph"
            why = "it gives other numbers than the engine"
        except Missing as error:
            why = str(error)
        if self._graph is not None:
            self._graph.close()
            self._graph = None
        if cuda_graph == "on":
            raise BadInput(f"{self._path} cannot run as a CUDA graph ({why}): set cuda_graph to auto")
        return f"no CUDA graph: {why}"


def _read_passport(path: Path) -> Passport:
    file = passport_path(path)
    if not file.is_file():
        found = "" if path.suffix == ".engine" else f", and it is {describe_file(path)}"
        raise BadInput(
            f"{path} has no passport {file.name} beside it{found}: an engine without one may be for another machine; "
            "build it here, eyehand build"
        )
    passport = Passport.read(file)
    if passport.format != "tensorrt":
        raise BadInput(f"{path} is an artifact in {passport.format}: expected a TensorRT engine; see eyehand build")
    return passport


def _metadata(passport: Passport) -> dict[str, str]:
    """Metadata of the graph that the engine was built from, with what the passport says itself."""
    source = passport.source.get("metadata")
    kept = {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in (source or {}).items()}
    return {**kept, **passport.metadata()}


def _check_io(passport: Passport, io_spec: IoSpec) -> None:
    first = io_spec.inputs[0]
    size = "x".join(map(str, first.shape))
    if len(io_spec.inputs) == 1 and (passport.input, passport.input_dtype) != (size, first.dtype):
        raise BadInput(
            f"the passport of {passport.name} ({passport.precision}) says input {passport.input} "
            f"{passport.input_dtype} and the engine takes {size} {first.dtype}: build it again"
        )


def _probe(io_spec: IoSpec, seed: int) -> dict[str, Tensor]:
    """Inputs that are no constants, the same each time."""
    random = np.random.default_rng(seed)
    return {
        spec.name: (random.random(spec.shape) * (255 if spec.dtype == "uint8" else 1)).astype(spec.dtype)
        for spec in io_spec.inputs
    }
