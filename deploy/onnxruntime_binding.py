"""Tensors of an ONNX Runtime session that are allocated once; page-locked where a GPU copies from and to them.

On the CPU it does not pay: `run` reads inputs where they lie, and copying out what a detector gives takes microseconds.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np

from deploy.backend import IoSpec, Tensor, TensorSpec

RUNTIMES = ("libcudart.so.13", "libcudart.so.12", "libcudart.so")


class Binding:
    """Arrays in the host's memory, bound to a session: it copies inputs to its device and outputs back by itself.

    Args:
        session: An `onnxruntime.InferenceSession` whose shapes are fixed.
        io_spec: Its inputs and outputs.
        pin: Lock the arrays' pages, so that the GPU copies them at full speed without the processor. Where the CUDA
            run time does not do so they stay ordinary memory: slower, same numbers.
    """

    def __init__(self, session: Any, io_spec: IoSpec, pin: bool = False) -> None:
        self._session = session
        self._binding = session.io_binding()
        self._inputs = {spec.name: _array(spec, pin) for spec in io_spec.inputs}
        self._outputs = {spec.name: _array(spec, pin) for spec in io_spec.outputs}
        for tensors, bind in (
            (self._inputs, self._binding.bind_input),
            (self._outputs, self._binding.bind_output),
        ):
            for name, tensor in tensors.items():
                bind(name, "cpu", 0, tensor.dtype.type, tensor.shape, tensor.ctypes.data)

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run once; the outputs are overwritten by the next call.

        Args:
            inputs: One array for each input, of its shape and type.
        """
        for name, tensor in self._inputs.items():
            np.copyto(tensor, inputs[name])
        self._session.run_with_iobinding(self._binding)
        self._binding.synchronize_outputs()
        return dict(self._outputs)


def page_lock(array: Tensor) -> bool:
    """Lock the pages of an array until the last view of it is gone; False where the CUDA run time does not do it."""
    for name in RUNTIMES:
        try:
            runtime = ctypes.CDLL(name)
        except OSError:
            continue
        pointer = ctypes.c_void_p(array.ctypes.data)
        if runtime.cudaHostRegister(pointer, ctypes.c_size_t(array.nbytes), ctypes.c_uint(0)) == 0:
            weakref.finalize(array, runtime.cudaHostUnregister, pointer).atexit = False
            return True
    return False


def _array(spec: TensorSpec, pin: bool) -> Tensor:
    array = np.zeros(spec.shape, spec.dtype)
    if pin:
        page_lock(array)
    return array
