"""Small detector-like graphs in each precision, as the exporters write them, and their passports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from deploy.passport import Passport, Target, file_sha256, passport_path

SHAPE = (1, 3, 8, 10)
PRECISIONS = {"fp32": "fp32", "fp16": "fp16", "int8": "int8-s8-fp16", "int8-s8": "int8-s8"}
ORIN = Target(gpu="Orin", sm="8.7", tensorrt="10.3.0", cuda="12.6", power_mode=None)


def write_graph(
    path: Path,
    precision: str,
    zero_point: int = 0,
    kind: type = np.int8,
    channels: int = 4,
    answer: np.ndarray | None = None,
) -> Path:
    """Two convolutions with an activation; the second stays in float in the INT8 ones, like a head.

    Args:
        path: The new file.
        precision: `fp32`, `fp16`, `int8` (float parts in FP16) or `int8-s8` (in FP32).
        zero_point: Of the activations' pairs.
        kind: Type of the quantized activations.
        channels: Of the first convolution.
        answer: Added to the output, of which nothing else is left: a detector that always says the same.
    """
    half = precision in ("fp16", "int8")
    dtype = np.float16 if half else np.float32
    random = np.random.default_rng(3)
    constants: dict[str, np.ndarray] = {
        "w0": random.normal(size=(channels, 3, 3, 3)).astype(dtype),
        "b0": random.normal(size=channels).astype(dtype),
        "w1": random.normal(size=(6, channels, 1, 1)).astype(dtype),
    }
    nodes = []
    data, weights = "images", "w0"
    if half:
        nodes.append(helper.make_node("Cast", [data], ["half"], name="/cast", to=TensorProto.FLOAT16))
        data = "half"
    if precision.startswith("int8"):
        constants |= {
            "scale_x": np.array(0.02, dtype), "zero_x": np.array(zero_point, kind),
            "scale_w": np.full(channels, 0.02, dtype), "zero_w": np.zeros(channels, np.int8),
        }  # fmt: skip
        for name, source, axis in (("x", data, None), ("w", "w0", 0)):
            more = {} if axis is None else {"axis": axis}
            pair = [source, f"scale_{name}", f"zero_{name}"]
            nodes.append(helper.make_node("QuantizeLinear", pair, [f"q_{name}"], name=f"/q_{name}", **more))
            pair[0] = f"q_{name}"
            nodes.append(helper.make_node("DequantizeLinear", pair, [f"dq_{name}"], name=f"/dq_{name}", **more))
        data, weights = "dq_x", "dq_w"
    nodes += [
        helper.make_node("Conv", [data, weights, "b0"], ["c0"], name="/0/Conv", pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["c0"], ["s0"], name="/0/Sigmoid"),
        helper.make_node("Mul", ["c0", "s0"], ["m0"], name="/0/Mul"),
        helper.make_node("Conv", ["m0", "w1"], ["c1"], name="/1/Conv"),
    ]
    last = "c1"
    if half:
        nodes.append(helper.make_node("Cast", ["c1"], ["full"], name="/back", to=TensorProto.FLOAT))
        last = "full"
    constants["flat"] = np.array([1, 6, -1], np.int64)
    nodes.append(helper.make_node("Reshape", [last, "flat"], ["raw"], name="/flat"))
    constants["factor"] = np.array(1 if answer is None else 0, np.float32)
    constants["answer"] = np.zeros((1, 6, SHAPE[2] * SHAPE[3]), np.float32) if answer is None else answer
    nodes.append(helper.make_node("Mul", ["raw", "factor"], ["scaled"], name="/scale"))
    nodes.append(helper.make_node("Add", ["scaled", "answer"], ["output0"], name="/answer"))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, (1, 6, SHAPE[2] * SHAPE[3]))],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    helper.set_model_props(model, metadata(precision))
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def metadata(precision: str) -> dict[str, str]:
    return {
        "eyehand.classes": '["red_cube", "distractor"]',
        "eyehand.input": "x".join(map(str, SHAPE)),
        "eyehand.letterbox": "center-114",
        "eyehand.color_order": "RGB",
        "eyehand.scale": "1/255",
        "eyehand.layout": "yolo-raw-cxcywh",
        "eyehand.precision": PRECISIONS[precision],
        "author": "me",
    }


def write_passport(artifact: Path, precision: str, source_sha256: str | None = None, **more: object) -> Passport:
    """The passport of an artifact beside it."""
    described = {key.removeprefix("eyehand."): value for key, value in metadata(precision).items() if "." in key}
    passport = Passport(
        **{
            **described, "precision": PRECISIONS[precision], "name": artifact.parent.name,
            "classes": ("red_cube", "distractor"),
            "sha256": file_sha256(artifact), "size_bytes": artifact.stat().st_size,
            "source": {"name": "model.onnx", "sha256": source_sha256 or file_sha256(artifact)}, **more,
        }
    )  # fmt: skip
    return passport.write(passport_path(artifact))


def write_store(folder: Path, *precisions: str, answers: Mapping[str, np.ndarray] | None = None) -> Path:
    """A model folder with its float model and artifacts of the precisions; what each answers."""
    answers = answers or {}
    folder.mkdir(parents=True)
    onnx_path = write_graph(folder / "model.onnx", "fp32", answer=answers.get("fp32"))
    write_passport(onnx_path, "fp32")
    for precision in precisions:
        name = PRECISIONS[precision]
        artifact = write_graph(folder / f"model.{name}.onnx", precision, answer=answers.get(precision))
        parity = {"share": 1.0, "engine": "onnxruntime"}
        write_passport(artifact, precision, file_sha256(onnx_path), parity=parity)
    return folder
