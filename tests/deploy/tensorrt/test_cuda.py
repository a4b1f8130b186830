"""The little of CUDA that we use, on a GPU in numpy: order, errors, and nothing left behind."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from deploy.backend import TensorSpec
from deploy.errors import Missing
from deploy.tensorrt.cuda import Buffer, Cuda, Stream
from tests.deploy.tensorrt.fake_cuda import FakeGpu, Status, make_runtime

SPEC = TensorSpec("x", (2, 3), "float32")


@pytest.fixture
def gpu() -> FakeGpu:
    return FakeGpu()


@pytest.fixture
def cuda(gpu: FakeGpu) -> Cuda:
    return Cuda(make_runtime(gpu))


def on_gpu(gpu: FakeGpu, buffer: Buffer) -> np.ndarray:
    found = gpu.memory(buffer.address, buffer.nbytes)
    assert found is not None
    return found.view(np.float32).reshape(2, 3)


def test_a_copy_is_there_when_it_was_waited_for_and_not_before(gpu: FakeGpu, cuda: Cuda) -> None:
    stream, buffer = Stream(cuda), Buffer(cuda, SPEC, mapped=False)
    buffer.host[:] = np.arange(6).reshape(2, 3)
    buffer.to_gpu(stream)
    assert not np.array_equal(on_gpu(gpu, buffer), buffer.host)
    stream.synchronize()
    np.testing.assert_array_equal(on_gpu(gpu, buffer), buffer.host)
    on_gpu(gpu, buffer)[:] = 7
    buffer.to_host(stream)
    stream.synchronize()
    np.testing.assert_array_equal(buffer.host, np.full((2, 3), 7))


def test_mapped_memory_is_one_piece(gpu: FakeGpu, cuda: Cuda) -> None:
    stream, buffer = Stream(cuda), Buffer(cuda, SPEC, mapped=True)
    buffer.host[:] = 5
    buffer.to_gpu(stream)
    buffer.to_host(stream)
    assert gpu.copies == 0
    np.testing.assert_array_equal(on_gpu(gpu, buffer), buffer.host)
    assert buffer.address != buffer.host.ctypes.data, "the GPU may see it elsewhere"


@pytest.mark.parametrize("mapped", [False, True])
def test_what_is_freed_is_freed_once(gpu: FakeGpu, cuda: Cuda, mapped: bool) -> None:
    stream, buffer = Stream(cuda), Buffer(cuda, SPEC, mapped)
    kept = buffer.host[1]
    for _ in range(2):
        buffer.free()
        stream.close()
    assert gpu.alive() == {"host": 1}
    assert kept.sum() == kept.sum()
    del kept
    gc.collect()
    assert gpu.alive() == {}


def test_a_graph_repeats_what_was_recorded(gpu: FakeGpu, cuda: Cuda) -> None:
    stream, buffer = Stream(cuda), Buffer(cuda, SPEC, mapped=False)
    graph = stream.capture(lambda: buffer.to_gpu(stream))
    for value in (1, 2):
        buffer.host[:] = value
        graph.launch()
        stream.synchronize()
        np.testing.assert_array_equal(on_gpu(gpu, buffer), np.full((2, 3), value))
    assert "graphs" not in gpu.alive(), "only what can be launched is kept"
    graph.close()
    graph.close()
    assert "executables" not in gpu.alive()


@pytest.mark.parametrize("broken", [False, True])
def test_a_recording_that_fails_leaves_the_stream_as_it_was(gpu: FakeGpu, cuda: Cuda, broken: bool) -> None:
    stream, buffer = Stream(cuda), Buffer(cuda, SPEC, mapped=False)

    def work() -> None:
        buffer.to_gpu(stream)
        if broken:
            stream.synchronize()  # cannot be recorded
        raise KeyError

    with pytest.raises(Missing if broken else KeyError):
        stream.capture(work)
    assert not {"graphs", "executables"} & gpu.alive().keys()
    buffer.host[:] = 3
    buffer.to_gpu(stream)
    stream.synchronize()
    np.testing.assert_array_equal(on_gpu(gpu, buffer), buffer.host)


def test_an_error_names_what_was_tried_and_what_cuda_says(gpu: FakeGpu, cuda: Cuda) -> None:
    gpu.fails["cudaMalloc"] = Status.OUT_OF_MEMORY
    with pytest.raises(Missing, match=r"CUDA error 2 while allocating x float32\[2, 3\] on the GPU .out of memory"):
        Buffer(cuda, SPEC, mapped=False)
    gc.collect()
    assert gpu.alive() == {}
