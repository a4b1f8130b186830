"""A TensorRT that executes through ONNX Runtime, so that backend, builder and command run where no GPU is.

It offers the names in `deploy.tensorrt.api` and no other: a name that is used and not listed there fails here, and what
is listed there is held against NVIDIA's own modules elsewhere. An "engine" is a header and the ONNX graph; its memory
is that of `fake_cuda`; the parser refuses what TensorRT's refuses; without the strongly typed flag the engine is FP32.
"""

from __future__ import annotations

import enum
import json
import sys
import time
import types
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper

from deploy.tensorrt.api import BUILD, RUN
from tests.deploy.tensorrt import fake_parser
from tests.deploy.tensorrt.fake_cuda import FakeGpu, Status, make_runtime

VERSIONS = ("10.3.0", "10.16.1.11", "11.4.0.106")
STYLES = {"10.3.0": "formats", "10.16.1.11": "types", "11.4.0.106": "myelin"}
MAGIC = b"ftrt"
_NAMES = {1: "FLOAT", 10: "HALF", 3: "INT8", 2: "UINT8", 6: "INT32", 7: "INT64", 9: "BOOL"}


class FakeTensorRt:
    """What the modules share: GPU, version, and what shall go wrong.

    Attributes:
        lose: Precision that the builder drops in silence.
        needs_mb: Workspace that a build needs.
        no_flag: Whether the network ignores that it shall be strongly typed.
        no_factory: Whether the library makes no objects, as without a fitting driver.
        slow: Seconds that an engine built from now on takes, by `fp16` and `int8`.
    """

    def __init__(self, version: str, gpu: FakeGpu) -> None:
        self.version, self.gpu = version, gpu
        self.lose: str | None = None
        self.needs_mb = 0
        self.no_flag = False
        self.no_factory = False
        self.slow: dict[str, float] = {}
        self.built = 0
        self.parsed: list[bytes] = []
        self.module: Any = None


def install(monkeypatch: pytest.MonkeyPatch, version: str = VERSIONS[0], gpu: FakeGpu | None = None) -> FakeTensorRt:
    """Put the fakes where `import tensorrt` and `import cuda.bindings.runtime` find them."""
    state = FakeTensorRt(version, gpu or FakeGpu())
    state.module = make_module(state)
    monkeypatch.setitem(sys.modules, "tensorrt", state.module)
    for name in ("cuda", "cuda.bindings"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", make_runtime(state.gpu))
    return state


def make_module(state: FakeTensorRt) -> types.ModuleType:
    """The module `tensorrt`; an assertion fails if it offers less or more than `api` lists."""
    classes = _classes(state)
    module = types.ModuleType("tensorrt")
    module.__version__ = state.version  # type: ignore[attr-defined]
    listed = [*RUN, *BUILD]
    for name in {full.partition(".")[0] for full in listed} - {"__version__"}:
        members = {full.split(".")[1] for full in listed if full.startswith(name + ".")}
        if name in classes:
            offered = {member for member in vars(classes[name]) if not member.startswith("_")}
            assert offered == members, (name, offered ^ members)
            setattr(module, name, classes[name])
        else:  # an enumeration; its numbers mean nothing, one excepted
            numbers = {member: number for number, member in enumerate(sorted(members), 3)}
            if name == "NetworkDefinitionCreationFlag":
                numbers = {"STRONGLY_TYPED": 0 if state.version.startswith("11") else 1}  # 10: bit 0 is EXPLICIT_BATCH
            setattr(module, name, enum.IntEnum(name, numbers))
    return module


def _classes(state: FakeTensorRt) -> dict[str, type]:
    gpu = state.gpu

    def logged(log: Any) -> Any:
        assert log.__dict__.get("_ready"), "ILogger.__init__ was not called"
        return log

    class ILogger:
        Severity = enum.IntEnum("Severity", {"INTERNAL_ERROR": 0, "ERROR": 1, "WARNING": 2})

        def __init__(self) -> None:
            self._ready = True

        def log(self, severity: Any, message: str) -> None:
            raise NotImplementedError

    class IHostMemory(bytes):
        @property
        def nbytes(self) -> int:
            return len(self)

    class Runtime:
        def __init__(self, log: Any) -> None:
            if state.no_factory:
                raise TypeError("pybind11::init(): factory function returned nullptr")
            self._log = logged(log)

        def deserialize_cuda_engine(self, content: bytes) -> ICudaEngine | None:
            gpu.deserialized += 1
            problem = _problem(state, content)
            if problem:
                self._log.log(ILogger.Severity.ERROR, problem)
                return None
            return ICudaEngine(content)

    class ICudaEngine:
        def __init__(self, content: bytes) -> None:
            size = int.from_bytes(content[4:8], "little")
            self._header = json.loads(content[8 : 8 + size])
            self._onnx = content[8 + size :]
            graph = onnx.load_from_string(self._onnx).graph
            held = {tensor.name for tensor in graph.initializer}
            self._inputs = {value.name: value for value in graph.input if value.name not in held}
            self._tensors = {**self._inputs, **{value.name: value for value in graph.output}}

        @property
        def num_io_tensors(self) -> int:
            return len(self._tensors)

        def get_tensor_name(self, index: int) -> str:
            return list(self._tensors)[index]

        def get_tensor_mode(self, name: str) -> Any:
            mode = state.module.TensorIOMode
            return mode.INPUT if name in self._inputs else mode.OUTPUT

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            dims = self._tensors[name].type.tensor_type.shape.dim
            return tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in dims)

        def get_tensor_dtype(self, name: str) -> Any:
            kind = _NAMES.get(self._tensors[name].type.tensor_type.elem_type)
            return getattr(state.module.DataType, kind) if kind else "DataType.BF16"

        def get_tensor_format(self, name: str) -> Any:
            return self._header.get("format") or state.module.TensorFormat.LINEAR

        def get_tensor_location(self, name: str) -> Any:
            return self._header.get("location") or state.module.TensorLocation.DEVICE

        def create_execution_context(self) -> IExecutionContext | None:
            return None if self._header.get("huge") else IExecutionContext(self)

        def create_engine_inspector(self) -> EngineInspector:
            return EngineInspector(self)

    class IExecutionContext:
        def __init__(self, engine: ICudaEngine) -> None:
            self._engine, self._addresses, self._runs = engine, {}, 0
            options = ort.SessionOptions()
            options.intra_op_num_threads = 1
            options.use_deterministic_compute = True
            options.log_severity_level = 3
            self._session = ort.InferenceSession(engine._onnx, options, providers=["CPUExecutionProvider"])
            gpu.contexts += 1

        def __del__(self) -> None:
            gpu.contexts -= 1

        def set_tensor_address(self, name: str, memory: int) -> bool:
            if name not in self._engine._tensors:
                return False
            self._addresses[name] = memory
            return True

        def execute_async_v3(self, stream_handle: int) -> bool:
            stream = gpu.streams.get(stream_handle)
            if stream is None or self._addresses.keys() != self._engine._tensors.keys():
                return False
            if stream.recorded is not None and (gpu.no_capture or not self._runs):
                stream.broken = True  # the first run allocates, which cannot be recorded
                return False
            self._runs += 1
            if stream.recorded is not None and gpu.empty_graph:
                return True
            return gpu.queue(stream_handle, self._run) == Status.SUCCESS

        def _run(self) -> Status:
            views = {}
            for name, value in self._engine._tensors.items():
                dtype = np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
                shape = self._engine.get_tensor_shape(name)
                memory = gpu.memory(self._addresses[name], int(np.prod(shape)) * dtype.itemsize)
                if memory is None:
                    return Status.ILLEGAL_ADDRESS
                views[name] = memory.view(dtype).reshape(shape)
            inputs = {name: views[name].copy() for name in self._engine._inputs}
            time.sleep(self._engine._header.get("seconds", 0.0))
            names = [name for name in views if name not in inputs]
            for name, value in zip(names, self._session.run(names, inputs), strict=True):
                views[name][...] = value + 1 if gpu.wrong_graph and gpu.in_graph else value
            return Status.SUCCESS

    class EngineInspector:
        def __init__(self, engine: ICudaEngine) -> None:
            self._header = engine._header

        def get_engine_information(self, format: Any) -> str:  # noqa: A002
            assert format == state.module.LayerInformationFormat.JSON
            return fake_parser.to_json(self._header["layers"], self._header["detailed"])

    class INetworkDefinition:
        def __init__(self, typed: bool) -> None:
            self._typed, self._onnx = typed, b""

    class OnnxParser:
        def __init__(self, network: INetworkDefinition, log: Any) -> None:
            self._network, self._log, self._errors = network, logged(log), []

        def parse(self, model: bytes, path: str | None = None) -> bool:
            state.parsed.append(model)
            proto = onnx.load_from_string(model)
            self._errors = fake_parser.refusals(proto)
            self._network._onnx = model
            return not self._errors

        @property
        def num_errors(self) -> int:
            return len(self._errors)

        def get_error(self, index: int) -> ParserError:
            return ParserError(self._errors[index])

    class ParserError:
        def __init__(self, error: fake_parser.Refusal) -> None:
            self._error = error

        def desc(self) -> str:
            return self._error.text

        def node_name(self) -> str:
            return self._error.name

        def node_operator(self) -> str:
            return self._error.operator

    class ITimingCache:
        def __init__(self, content: bytes) -> None:
            self._content = content

        def serialize(self) -> IHostMemory:
            return IHostMemory(self._content)

    class IBuilderConfig:
        profiling_verbosity: Any = None

        def __init__(self, log: Any) -> None:
            self._log = log
            self._limits: dict[Any, int] = {}
            self._cache: ITimingCache | None = None

        def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
            self._limits[pool] = pool_size

        def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache | None:
            known = serialized_timing_cache.startswith(b"timings ")
            if serialized_timing_cache and not known:
                text = "Failed to deserialize timing cache. Returning an empty timing cache."
                self._log.log(ILogger.Severity.WARNING, text)
            return ITimingCache(serialized_timing_cache if known else _timings(state))

        def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
            if not ignore_mismatch and not cache._content.startswith(_timings(state)):
                return False
            self._cache = cache
            return True

        def get_timing_cache(self) -> ITimingCache | None:
            return self._cache

    class Builder:
        def __init__(self, log: Any) -> None:
            if state.no_factory:
                raise TypeError("pybind11::init(): factory function returned nullptr")
            self._log = logged(log)

        def create_network(self, flags: int = 0) -> INetworkDefinition:
            typed = 1 << int(state.module.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
            return INetworkDefinition(bool(flags & typed) and not state.no_flag)

        def create_builder_config(self) -> IBuilderConfig:
            return IBuilderConfig(self._log)

        def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> IHostMemory | None:
            limit = config._limits[state.module.MemoryPoolType.WORKSPACE]
            if limit < state.needs_mb << 20:
                self._log.log(ILogger.Severity.ERROR, f"No implementation within\n workspace of {limit} bytes.")
                return None
            self._log.log(ILogger.Severity.WARNING, "A warning.")
            state.built += 1
            if config._cache is not None:
                config._cache._content += b"; one more build"
            detailed = config.profiling_verbosity == state.module.ProfilingVerbosity.DETAILED
            proto = onnx.load_from_string(network._onnx)
            made = fake_parser.layers(proto, STYLES.get(state.version, "types"), network._typed, state.lose)
            kind = "int8" if any(node.op_type == "DequantizeLinear" for node in proto.graph.node) else "fp16"
            more = {"layers": made, "detailed": detailed, "seconds": state.slow.get(kind, 0.0)}
            return IHostMemory(engine_bytes(state, network._onnx, **more))

    return {name: kind for name, kind in locals().items() if isinstance(kind, type)}


def engine_bytes(state: FakeTensorRt, graph: bytes, **more: Any) -> bytes:
    """An engine of a graph, for the machine of `state`."""
    header = {"version": state.version, "gpu": state.gpu.name, "layers": [], "detailed": True, **more}
    text = json.dumps(header).encode()
    return MAGIC + len(text).to_bytes(4, "little") + text + graph


def _problem(state: FakeTensorRt, content: bytes) -> str | None:
    if not content.startswith(MAGIC):
        return "Serialization assertion header.magicTag == rt::kSERIALIZATION_MAGIC failed."
    size = int.from_bytes(content[4:8], "little")
    header = json.loads(content[8 : 8 + size])
    if (header["version"], header["gpu"]) != (state.version, state.gpu.name):
        return "The engine plan file is not compatible with this version of TensorRT."
    return None


def _timings(state: FakeTensorRt) -> bytes:
    return f"timings {state.version} {state.gpu.name}".encode()
