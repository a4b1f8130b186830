"""TensorRT and the GPU of this machine: what an engine must have been built with to run here."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import Any

from deploy.errors import Missing
from deploy.passport import Target
from deploy.tensorrt.api import BUILD, NEWEST, OLDEST, RUN, absent
from deploy.tensorrt.cuda import REMEDY, Cuda, Device, load_cuda


@dataclass(frozen=True, slots=True)
class Machine:
    """TensorRT, CUDA and the GPU, loaded and asked.

    Attributes:
        trt: The module `tensorrt`.
        version: Its version.
        cuda: The CUDA run time.
        device: The GPU.
    """

    trt: Any
    version: str
    cuda: Cuda
    device: Device

    def target(self, power_mode: str | None = None) -> Target:
        """This machine as a passport names it."""
        device = self.device
        return Target(gpu=device.name, sm=device.sm, tensorrt=self.version, cuda=device.cuda, power_mode=power_mode)


def this_machine() -> Machine:
    """TensorRT and the GPU of this machine.

    Raises:
        Missing: If TensorRT, CUDA or the GPU is not there or of a version that we do not know, with the remedy.
    """
    try:
        trt = importlib.import_module("tensorrt")
    except Exception as error:  # its libraries may be absent or not fit: OSError, RuntimeError, ...
        raise Missing(f"tensorrt cannot be imported ({_line(error)}): {REMEDY}") from error
    version = str(getattr(trt, "__version__", "unknown"))
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if not OLDEST <= numbers <= NEWEST:
        raise Missing(f"TensorRT {version}: expected 10.3 to 11; {REMEDY}")
    if lacks := absent(trt, (*RUN, *BUILD)):
        raise Missing(f"TensorRT {version} lacks {', '.join(lacks[:3])}: install the whole of it; {REMEDY}")
    cuda = load_cuda()
    return Machine(trt, version, cuda, cuda.device())


def make_log(trt: Any) -> Any:
    """A log for TensorRT that keeps warnings and errors in `lines` instead of printing them.

    Args:
        trt: The module `tensorrt`.
    """
    severe = {trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR}
    kept = severe | {trt.ILogger.Severity.WARNING}

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.lines: list[str] = []
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in kept:
                self.lines.append(message)
            if severity in severe:
                self.errors.append(message)

        def reason(self) -> str:
            """The last error, on one line."""
            return " ".join(self.errors[-1].split())[:300] if self.errors else "it gives no reason"

    return Log()


def make(machine: Machine, kind: str, *arguments: Any) -> Any:
    """Make one of TensorRT's own objects, such as a `Runtime`.

    Raises:
        Missing: If it cannot be made: the driver does not fit, or the GPU is not supported.
    """
    try:
        made = getattr(machine.trt, kind)(*arguments)
    except TypeError as error:  # what its bindings raise when the library gives none
        raise Missing(
            f"TensorRT {machine.version} makes no {kind} on {machine.device.name} ({_line(error)}): "
            "its version may not support this GPU or its driver"
        ) from error
    if made is None:
        raise Missing(f"TensorRT {machine.version} makes no {kind} on {machine.device.name}: see its support matrix")
    return made


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
