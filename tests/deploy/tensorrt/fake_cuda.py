"""A CUDA run time in numpy: memory with addresses, streams that run when waited for, graphs. It offers `api.CUDA`.

What a real one does at its own time happens here as late as it may: queued work runs when its stream is waited for, so
a result that is read too early is wrong in every run. Every piece of memory, stream and graph is counted.
"""

from __future__ import annotations

import ctypes
import enum
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deploy.tensorrt.api import CUDA, absent

MAPPED_TAG = 1 << 60  # where the GPU sees mapped host memory: elsewhere than the host does


class Status(enum.IntEnum):
    SUCCESS = 0
    INVALID_VALUE = 1
    OUT_OF_MEMORY = 2
    INSUFFICIENT_DRIVER = 35
    NO_DEVICE = 100
    ILLEGAL_ADDRESS = 700
    CAPTURE_UNSUPPORTED = 900
    CAPTURE_INVALIDATED = 901


class Stream:
    def __init__(self, number: int) -> None:
        self.number = number
        self.queued: list[Callable[[], Status]] = []
        self.recorded: list[Callable[[], Status]] | None = None
        self.broken = False

    def __int__(self) -> int:
        return self.number


@dataclass
class Handle:
    work: list[Callable[[], Status]]

    def __int__(self) -> int:
        return id(self)


@dataclass(eq=False)
class Event:
    """A place in a stream's queue."""

    stream: Stream | None = None
    place: int = 0


@dataclass
class FakeGpu:
    """The GPU: its properties, what lives on it, and what shall fail.

    Attributes:
        fails: Status that a function answers from now on, by its name.
        no_capture: Whether the engine's work cannot be recorded.
        wrong_graph: Whether a launched graph writes other numbers than the engine.
        empty_graph: Whether the engine's work gets lost in a recording, and the copies alone remain.
    """

    name: str = "Orin"
    sm: tuple[int, int] = (8, 7)
    integrated: bool = False
    driver: int = 12060
    fails: dict[str, Status] = field(default_factory=dict)
    no_capture: bool = False
    wrong_graph: bool = False
    empty_graph: bool = False
    device: dict[int, np.ndarray] = field(default_factory=dict)
    host: dict[int, Any] = field(default_factory=dict)
    mapped: set[int] = field(default_factory=set)
    streams: dict[int, Stream] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    graphs: list[Handle] = field(default_factory=list)
    executables: list[Handle] = field(default_factory=list)
    contexts: int = 0
    deserialized: int = 0
    launches: int = 0
    copies: int = 0
    in_graph: bool = False

    def alive(self) -> dict[str, int]:
        """What has not been given back, by kind."""
        kinds = {
            "device": self.device, "host": self.host, "streams": self.streams, "events": self.events,
            "graphs": self.graphs, "executables": self.executables,
        }  # fmt: skip
        counts = {name: len(held) for name, held in kinds.items()} | {"contexts": self.contexts}
        return {name: count for name, count in counts.items() if count}

    def memory(self, address: int, nbytes: int) -> np.ndarray | None:
        """Bytes that the GPU sees at an address; None if that is no memory of its own."""
        if address >= MAPPED_TAG and address - MAPPED_TAG in self.mapped:
            return self._bytes(address - MAPPED_TAG, nbytes, self.host)
        return self._bytes(address, nbytes, self.device)

    def pinned(self, address: int, nbytes: int) -> np.ndarray | None:
        """Bytes of pinned host memory at an address."""
        return self._bytes(address, nbytes, self.host)

    def queue(self, stream: int, work: Callable[[], Status]) -> Status:
        """Queue work, or record it."""
        if stream not in self.streams:
            return Status.INVALID_VALUE
        found = self.streams[stream]
        (found.queued if found.recorded is None else found.recorded).append(work)
        return Status.SUCCESS

    @staticmethod
    def _bytes(address: int, nbytes: int, held: dict[int, Any]) -> np.ndarray | None:
        block = held.get(address)
        if block is None or nbytes > ctypes.sizeof(ctypes.c_ubyte) * len(np.frombuffer(block, np.uint8)):
            return None
        return np.frombuffer((ctypes.c_ubyte * nbytes).from_address(address), np.uint8)


def make_runtime(gpu: FakeGpu) -> types.ModuleType:
    """The module `cuda.bindings.runtime` of a GPU, with the names in `api.CUDA` and no other."""
    module = types.ModuleType("cuda.bindings.runtime")
    offered = {name.partition(".")[0] for name in CUDA}
    for name in offered:
        if hasattr(_Functions, name):
            setattr(module, name, _guarded(gpu, name))
    for name in ("cudaDeviceAttr", "cudaMemcpyKind", "cudaStreamCaptureMode"):
        members = [full.partition(".")[2] for full in CUDA if full.startswith(name + ".")]
        setattr(module, name, enum.IntEnum(name, {member: number for number, member in enumerate(members, 1)}))
    constants = {
        "cudaHostAllocDefault": 0, "cudaHostAllocMapped": 2, "cudaStreamNonBlocking": 1, "cudaEventBlockingSync": 1,
        "cudaEventDisableTiming": 2,
    }  # fmt: skip
    for name, value in constants.items():
        setattr(module, name, value)
    assert absent(module, CUDA) == []
    return module


def _guarded(gpu: FakeGpu, name: str) -> Callable[..., tuple[Any, ...]]:
    function = getattr(_Functions, name)

    def call(*arguments: Any) -> tuple[Any, ...]:
        if name in gpu.fails:
            return (gpu.fails[name], None)
        return function(gpu, *arguments)

    return call


class _Functions:
    """Each answers its status first, as NVIDIA's module does."""

    def cudaGetDevice(gpu: FakeGpu) -> tuple[Any, ...]:  # noqa: N802, N805
        return Status.SUCCESS, 0

    def cudaGetDeviceProperties(gpu: FakeGpu, index: int) -> tuple[Any, ...]:  # noqa: N802, N805
        return Status.SUCCESS, types.SimpleNamespace(name=gpu.name.encode())

    def cudaDeviceGetAttribute(gpu: FakeGpu, attribute: Any, index: int) -> tuple[Any, ...]:  # noqa: N802, N805
        values = {
            "cudaDevAttrComputeCapabilityMajor": gpu.sm[0],
            "cudaDevAttrComputeCapabilityMinor": gpu.sm[1],
            "cudaDevAttrIntegrated": int(gpu.integrated),
            "cudaDevAttrCanMapHostMemory": 1,
        }
        return Status.SUCCESS, values[attribute.name]

    def cudaDriverGetVersion(gpu: FakeGpu) -> tuple[Any, ...]:  # noqa: N802, N805
        return Status.SUCCESS, gpu.driver

    def cudaGetErrorString(gpu: FakeGpu, status: int) -> tuple[Any, ...]:  # noqa: N802, N805
        return Status.SUCCESS, Status(status).name.lower().replace("_", " ").encode()

    def cudaGetLastError(gpu: FakeGpu) -> tuple[Any, ...]:  # noqa: N802, N805
        return (Status.SUCCESS,)

    def cudaMalloc(gpu: FakeGpu, nbytes: int) -> tuple[Any, ...]:  # noqa: N802, N805
        block = np.full(nbytes, 0xAB, np.uint8)  # what was there before
        gpu.device[block.ctypes.data] = block
        return Status.SUCCESS, block.ctypes.data

    def cudaFree(gpu: FakeGpu, address: int) -> tuple[Any, ...]:  # noqa: N802, N805
        return (Status.SUCCESS if gpu.device.pop(address, None) is not None else Status.INVALID_VALUE,)

    def cudaHostAlloc(gpu: FakeGpu, nbytes: int, flags: int) -> tuple[Any, ...]:  # noqa: N802, N805
        block = np.full(nbytes, 0xCD, np.uint8)
        gpu.host[block.ctypes.data] = block
        if flags == 2:
            gpu.mapped.add(block.ctypes.data)
        return Status.SUCCESS, block.ctypes.data

    def cudaFreeHost(gpu: FakeGpu, address: int) -> tuple[Any, ...]:  # noqa: N802, N805
        gpu.mapped.discard(address)
        return (Status.SUCCESS if gpu.host.pop(address, None) is not None else Status.INVALID_VALUE,)

    def cudaHostGetDevicePointer(gpu: FakeGpu, address: int, flags: int) -> tuple[Any, ...]:  # noqa: N802, N805
        return (Status.SUCCESS, address + MAPPED_TAG) if address in gpu.mapped else (Status.INVALID_VALUE, None)

    def cudaMemcpyAsync(gpu: FakeGpu, target: int, source: int, nbytes: int, kind: Any, stream: Any) -> tuple[Any, ...]:  # noqa: N802, N805
        gpu.copies += 1

        def copy() -> Status:
            if kind.name == "cudaMemcpyHostToDevice":
                to, from_ = gpu.memory(target, nbytes), gpu.pinned(source, nbytes)
            else:
                to, from_ = gpu.pinned(target, nbytes), gpu.memory(source, nbytes)
            if to is None or from_ is None:
                return Status.ILLEGAL_ADDRESS
            to[:] = from_
            return Status.SUCCESS

        return (gpu.queue(int(stream), copy),)

    def cudaStreamCreateWithFlags(gpu: FakeGpu, flags: int) -> tuple[Any, ...]:  # noqa: N802, N805
        number = 0x5000 + len(gpu.streams) + 1
        gpu.streams[number] = Stream(number)
        return Status.SUCCESS, gpu.streams[number]

    def cudaStreamDestroy(gpu: FakeGpu, stream: Any) -> tuple[Any, ...]:  # noqa: N802, N805
        return (Status.SUCCESS if gpu.streams.pop(int(stream), None) is not None else Status.INVALID_VALUE,)

    def cudaEventCreateWithFlags(gpu: FakeGpu, flags: int) -> tuple[Any, ...]:  # noqa: N802, N805
        gpu.events.append(Event())
        return Status.SUCCESS, gpu.events[-1]

    def cudaEventDestroy(gpu: FakeGpu, event: Event) -> tuple[Any, ...]:  # noqa: N802, N805
        gpu.events.remove(event)
        return (Status.SUCCESS,)

    def cudaEventRecord(gpu: FakeGpu, event: Event, stream: Any) -> tuple[Any, ...]:  # noqa: N802, N805
        event.stream, event.place = stream, len(stream.queued)
        return (Status.SUCCESS,)

    def cudaEventSynchronize(gpu: FakeGpu, event: Event) -> tuple[Any, ...]:  # noqa: N802, N805
        stream = event.stream
        if event not in gpu.events or stream is None:
            return (Status.INVALID_VALUE,)
        if stream.recorded is not None:
            stream.broken = True
            return (Status.CAPTURE_UNSUPPORTED,)
        work, stream.queued = stream.queued[: event.place], stream.queued[event.place :]
        event.place = 0
        return (next(filter(None, (item() for item in work)), Status.SUCCESS),)

    def cudaStreamBeginCapture(gpu: FakeGpu, stream: Any, mode: Any) -> tuple[Any, ...]:  # noqa: N802, N805
        stream.recorded = []
        return (Status.SUCCESS,)

    def cudaStreamEndCapture(gpu: FakeGpu, stream: Any) -> tuple[Any, ...]:  # noqa: N802, N805
        work, stream.recorded, broken, stream.broken = stream.recorded, None, stream.broken, False
        if work is None or broken:
            return Status.CAPTURE_INVALIDATED, None
        gpu.graphs.append(Handle(work))
        return Status.SUCCESS, gpu.graphs[-1]

    def cudaGraphInstantiate(gpu: FakeGpu, graph: Handle, flags: int) -> tuple[Any, ...]:  # noqa: N802, N805
        gpu.executables.append(Handle(list(graph.work)))
        return Status.SUCCESS, gpu.executables[-1]

    def cudaGraphLaunch(gpu: FakeGpu, executable: Handle, stream: Any) -> tuple[Any, ...]:  # noqa: N802, N805
        if all(executable is not held for held in gpu.executables):
            return (Status.INVALID_VALUE,)
        gpu.launches += 1

        def run() -> Status:
            gpu.in_graph = True
            try:
                return next(
                    (status for item in executable.work if (status := item()) != Status.SUCCESS), Status.SUCCESS
                )
            finally:
                gpu.in_graph = False

        return (gpu.queue(int(stream), run),)

    def cudaGraphDestroy(gpu: FakeGpu, graph: Handle) -> tuple[Any, ...]:  # noqa: N802, N805
        gpu.graphs = [held for held in gpu.graphs if held is not graph]
        return (Status.SUCCESS,)

    def cudaGraphExecDestroy(gpu: FakeGpu, executable: Handle) -> tuple[Any, ...]:  # noqa: N802, N805
        gpu.executables = [held for held in gpu.executables if held is not executable]
        return (Status.SUCCESS,)
