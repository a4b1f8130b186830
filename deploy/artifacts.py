"""Which files a model folder may hold, and which of them suits which engine."""

from __future__ import annotations

from pathlib import PurePath

from deploy.errors import BadInput
from deploy.passport import PRECISIONS

MODEL_FILE = "model.onnx"
U8, S8 = "model.int8-u8.onnx", "model.int8-s8.onnx"
FP16 = "model.fp16.onnx"
AUTO = "auto"

# ONNX Runtime is slow with symmetric INT8 and with fp16 on a CPU, and with unsigned INT8 on CUDA.
SUITED: dict[str, dict[str, tuple[str, ...]]] = {
    "onnxruntime": {"fp32": (MODEL_FILE,), "int8": (U8,)},
    "onnxruntime-cuda": {"fp32": (MODEL_FILE,), "fp16": (FP16,), "int8": (S8,)},
    "openvino": {"fp32": (MODEL_FILE,), "int8": (S8,)},
    "tensorrt": {"fp16": ("model.fp16.engine",), "int8": ("model.int8.engine",)},
}
ANY_OTHER = {"fp32": (MODEL_FILE,)}


def artifact_for(backend: str, precision: str = AUTO) -> list[str]:
    """Files of a model folder that suit an engine, the most precise first.

    Args:
        backend: Registered name of the engine. One that is not ours is given the fp32 model.
        precision: `fp32`, `fp16`, `int8`, or `auto` for all of them.

    Returns:
        Names of files; empty if the engine has none of that precision.

    Raises:
        BadInput: If there is no such precision.

    Example:
        >>> artifact_for("openvino"), artifact_for("onnxruntime", "fp16")
        (['model.onnx', 'model.int8-s8.onnx'], [])
    """
    suited = SUITED.get(backend, ANY_OTHER)
    if precision == AUTO:
        return [file for files in suited.values() for file in files]
    if precision not in ("fp32", "fp16", "int8"):
        raise BadInput(f"precision {precision!r}: expected fp32, fp16, int8 or auto")
    return list(suited.get(precision, ()))


def precision_of(file: str) -> str:
    """Precision of an artifact, by the name of its file; `int8` for an engine; a file of another name is fp32.

    Example:
        >>> precision_of("model.int8-s8-fp16.onnx"), precision_of("model.int8.engine"), precision_of("best.onnx")
        ('int8-s8-fp16', 'int8', 'fp32')
    """
    part = PurePath(PurePath(file).stem).suffix.lstrip(".")
    return part if part in (*PRECISIONS, "int8") else "fp32"


def takes(backend: str, file: str) -> bool:
    """Whether an engine loads files of this kind: TensorRT its own engines, the others ONNX."""
    return (backend == "tensorrt") == file.endswith(".engine")
