"""The little of CUDA that an engine needs: memory, one stream, a captured graph; errors as sentences."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from deploy.backend import Tensor, TensorSpec
from deploy.errors import Missing
from deploy.tensorrt.api import CUDA, absent

REMEDY = (
    "on a Jetson: sudo apt-get install python3-libnvinfer && pip install 'cuda-python>=12.6.2,<13', in an environment "
    "made with --system-site-packages; on a PC: pip install 'eyehand[tensorrt]' --extra-index-url "
    "https://pypi.nvidia.com"
)


@dataclass(frozen=True, slots=True)
class Device:
    """The GPU that this process uses.

    Attributes:
        name: As the driver tells it.
        sm: Compute capability, such as `8.7`.
        integrated: Whether it shares the host's memory, as on a Jetson.
        maps_host: Whether it reads and writes pinned host memory in place.
        cuda: The CUDA version of its driver.
    """

    name: str
    sm: str
    integrated: bool
    maps_host: bool
    cuda: str


class Cuda:
    """The CUDA run time of this process.

    Args:
        runtime: The module `cuda.bindings.runtime`.
    """

    def __init__(self, runtime: ModuleType) -> None:
        self.runtime: Any = runtime

    def check(self, answer: tuple[Any, ...], doing: str) -> Any:
        """The value of a call's answer.

        Args:
            answer: Status and value, as every call gives them.
            doing: What was tried, for the message.

        Raises:
            Missing: If the status is not success.
        """
        status = answer[0]
        if status != 0:
            text = self.runtime.cudaGetErrorString(status)[1]
            said = text.decode() if isinstance(text, bytes) else str(text)
            raise Missing(f"CUDA error {int(status)} while {doing} ({said}): see nvidia-smi, or tegrastats on a Jetson")
        return answer[1] if len(answer) > 1 else None

    def device(self) -> Device:
        """The GPU in use.

        Raises:
            Missing: If there is none, or its driver does not fit.
        """
        rt = self.runtime
        try:
            index = self.check(rt.cudaGetDevice(), "looking for a GPU")
            properties = self.check(rt.cudaGetDeviceProperties(index), "asking the GPU")
        except (Missing, RuntimeError) as error:  # the latter is raised where there is no driver to load
            raise Missing(
                f"no NVIDIA GPU can be used here ({error}): run it on the machine with the GPU, and install its driver"
            ) from error
        kinds = rt.cudaDeviceAttr

        def attribute(kind: Any) -> int:
            return int(self.check(rt.cudaDeviceGetAttribute(kind, index), "asking the GPU"))

        version = int(self.check(rt.cudaDriverGetVersion(), "asking the driver"))
        name = properties.name
        return Device(
            name=(name.decode() if isinstance(name, bytes) else str(name)).strip("\0 "),
            sm=f"{attribute(kinds.cudaDevAttrComputeCapabilityMajor)}"
            f".{attribute(kinds.cudaDevAttrComputeCapabilityMinor)}",
            integrated=bool(attribute(kinds.cudaDevAttrIntegrated)),
            maps_host=bool(attribute(kinds.cudaDevAttrCanMapHostMemory)),
            cuda=f"{version // 1000}.{version % 1000 // 10}",
        )


class Buffer:
    """The memory of one tensor: an array on the host, and where the GPU finds it.

    Pinned host memory and a copy of it on the GPU; or, mapped, one piece that both use. The host's part is freed when
    the last array that looks at it is gone, so that an array that outlives the engine is stale and never wild.

    Args:
        cuda: The run time.
        spec: The tensor.
        mapped: Whether both use one piece.

    Raises:
        Missing: If there is not enough memory.
    """

    def __init__(self, cuda: Cuda, spec: TensorSpec, mapped: bool) -> None:
        rt, self._cuda, self._device = cuda.runtime, cuda, 0
        dtype = np.dtype(spec.dtype)
        self.nbytes = int(np.prod(spec.shape, dtype=np.int64)) * dtype.itemsize
        flags = rt.cudaHostAllocMapped if mapped else rt.cudaHostAllocDefault
        pointer = int(cuda.check(rt.cudaHostAlloc(self.nbytes, flags), f"allocating {spec} on the host"))
        block = (ctypes.c_ubyte * self.nbytes).from_address(pointer)
        weakref.finalize(block, rt.cudaFreeHost, pointer).atexit = False
        self._host_pointer = pointer
        self.host: Tensor = np.frombuffer(memoryview(block), dtype).reshape(spec.shape)
        if mapped:
            self.address = int(cuda.check(rt.cudaHostGetDevicePointer(pointer, 0), f"mapping {spec}"))
        else:
            self.address = self._device = int(cuda.check(rt.cudaMalloc(self.nbytes), f"allocating {spec} on the GPU"))

    def to_gpu(self, stream: Stream) -> None:
        """Copy the host's array to the GPU, on a stream; nothing to do where both use one piece."""
        if self._device:
            stream.copy(self._device, self._host_pointer, self.nbytes, to_gpu=True)

    def to_host(self, stream: Stream) -> None:
        """Copy what the GPU wrote into the host's array, on a stream."""
        if self._device:
            stream.copy(self._host_pointer, self._device, self.nbytes, to_gpu=False)

    def free(self) -> None:
        """Give the memory back; calling it again does nothing."""
        device, self._device, self.address = self._device, 0, 0
        self.host = np.empty(0, np.uint8)
        if device:
            self._cuda.check(self._cuda.runtime.cudaFree(device), "freeing memory")


class Stream:
    """A queue of work for the GPU that waits for no other queue.

    A thread that waits for it sleeps: it shares its cores with the control loop, and CUDA would let it spin.

    Args:
        cuda: The run time.
    """

    def __init__(self, cuda: Cuda) -> None:
        self._cuda, self._rt = cuda, cuda.runtime
        self._stream: Any = cuda.check(
            self._rt.cudaStreamCreateWithFlags(self._rt.cudaStreamNonBlocking), "making a stream"
        )
        kinds = self._rt.cudaMemcpyKind
        self._to_gpu, self._to_host = kinds.cudaMemcpyHostToDevice, kinds.cudaMemcpyDeviceToHost
        flags = self._rt.cudaEventBlockingSync | self._rt.cudaEventDisableTiming
        try:
            self._done: Any = cuda.check(self._rt.cudaEventCreateWithFlags(flags), "making an event")
        except Missing:
            self._rt.cudaStreamDestroy(self._stream)
            raise

    @property
    def handle(self) -> int:
        """As other libraries take it."""
        return int(self._stream)

    def copy(self, target: int, source: int, nbytes: int, *, to_gpu: bool) -> None:
        """Queue a copy between addresses."""
        kind = self._to_gpu if to_gpu else self._to_host
        self._cuda.check(self._rt.cudaMemcpyAsync(target, source, nbytes, kind, self._stream), "copying a tensor")

    def synchronize(self) -> None:
        """Wait until all that was queued is done."""
        self._cuda.check(self._rt.cudaEventRecord(self._done, self._stream), "running the engine")
        self._cuda.check(self._rt.cudaEventSynchronize(self._done), "running the engine")

    def capture(self, queue: Callable[[], None]) -> Graph:
        """Record work as a graph that is launched as a whole.

        Args:
            queue: Queues the work on this stream; nothing of it runs.

        Raises:
            Missing: If the work cannot be recorded; the stream can be used as before.
        """
        mode = self._rt.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._cuda.check(self._rt.cudaStreamBeginCapture(self._stream, mode), "recording a graph")
        try:
            queue()
        except BaseException:
            with contextlib.suppress(Missing):  # a recording that broke answers with an error, and has no graph
                graph = self._cuda.check(self._rt.cudaStreamEndCapture(self._stream), "leaving a recording")
                if graph is not None and int(graph):
                    self._rt.cudaGraphDestroy(graph)
            self._rt.cudaGetLastError()  # it would come up again in the next call
            raise
        try:
            graph = self._cuda.check(self._rt.cudaStreamEndCapture(self._stream), "recording a graph")
        except Missing:
            self._rt.cudaGetLastError()
            raise
        try:
            return Graph(self._cuda, self._cuda.check(self._rt.cudaGraphInstantiate(graph, 0), "making a graph"), self)
        finally:
            self._rt.cudaGraphDestroy(graph)

    def launch(self, graph: Any) -> None:
        """Queue a graph."""
        self._cuda.check(self._rt.cudaGraphLaunch(graph, self._stream), "launching the graph")

    def close(self) -> None:
        """Give it back; calling it again does nothing."""
        stream, self._stream = self._stream, None
        if stream is not None:
            self._rt.cudaEventDestroy(self._done)
            self._cuda.check(self._rt.cudaStreamDestroy(stream), "closing a stream")


class Graph:
    """Recorded work of one stream; made by `Stream.capture`."""

    def __init__(self, cuda: Cuda, executable: Any, stream: Stream) -> None:
        self._cuda, self._executable, self._stream = cuda, executable, stream

    def launch(self) -> None:
        """Queue the whole of it on its stream."""
        self._stream.launch(self._executable)

    def close(self) -> None:
        """Give it back; calling it again does nothing."""
        executable, self._executable = self._executable, None
        if executable is not None:
            self._cuda.check(self._cuda.runtime.cudaGraphExecDestroy(executable), "closing a graph")


def load_cuda() -> Cuda:
    """CUDA's run time for Python.

    Raises:
        Missing: If it is not installed, or lacks what we use.
    """
    try:
        runtime = importlib.import_module("cuda.bindings.runtime")
    except ImportError as error:
        raise Missing(f"cuda.bindings cannot be imported ({error}): {REMEDY}") from error
    if lacks := absent(runtime, CUDA):
        raise Missing(f"cuda.bindings lacks {', '.join(lacks[:3])}: expected cuda-python 12.6.2 or newer; {REMEDY}")
    return Cuda(runtime)
