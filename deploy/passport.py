"""What a model artifact says about itself, beside its file: its origin, what it takes and gives, what it is worth.

The file is small JSON. A run refuses an artifact whose passport speaks of another file, another preprocessing, other
classes or another machine; a seal over the content tells a passport that was edited by hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.errors import BadInput

PRECISIONS = ("fp32", "fp16", "int8-u8", "int8-s8", "int8-s8-fp16")
PASSPORT_FILE = "passport.json"  # of model.onnx; X.onnx has X.passport.json, X.engine X.engine.passport.json
UNVERIFIED = "unverified on target"
_DESCRIBED = {
    "classes": "eyehand.classes",
    "input": "eyehand.input",
    "letterbox": "eyehand.letterbox",
    "color_order": "eyehand.color_order",
    "scale": "eyehand.scale",
    "layout": "eyehand.layout",
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Target(_Part):
    """The machine that an engine was built on, and for.

    Attributes:
        gpu: Name of the GPU.
        sm: Its compute capability, such as `8.7`.
        tensorrt: Version of TensorRT.
        cuda: Version of the CUDA run time.
        power_mode: Power mode at the time of building; None where there is none.
    """

    gpu: str
    sm: str
    tensorrt: str
    cuda: str | None = None
    power_mode: str | None = None


class Calibration(_Part):
    """What the ranges of a quantized artifact come from.

    Attributes:
        method: `minmax`, `percentile` or `entropy`.
        frames: Number of frames.
        sha256: Hash of the frames as the network took them.
        sources: The recordings, by name.
        tried: mAP50-95 of each method that was tried.
    """

    method: str
    frames: int
    sha256: str
    sources: tuple[str, ...] = ()
    tried: dict[str, float] = Field(default_factory=dict)


class Latency(_Part):
    """One measured latency and its conditions; `n` inferences after a warm-up."""

    backend: str
    machine: str
    threads: int | None = None
    n: int
    p50_ms: float
    p99_ms: float
    conditions: str | None = None


class Passport(_Part):
    """The passport of one artifact.

    Attributes:
        version: Of this format.
        name: The model's name.
        status: `final`, or what is missing.
        format: `onnx`, or `tensorrt` for an engine.
        precision: One of `PRECISIONS`.
        sha256: Hash of the artifact, hexadecimal.
        size_bytes: Its size.
        source: What it was made from: `name` and `sha256`, and for random weights `seed`.
        made_by: Versions of what made it.
        classes: Names of the classes, by class number.
        input: Shape of the input, such as `1x3x256x320`.
        input_dtype: Its type.
        letterbox: Rule by which an image becomes the input.
        color_order: `RGB` or `BGR`.
        scale: Of the pixels' values: `1/255`, or `baked` into the graph.
        layout: Of the output.
        calibration: Of a quantized artifact.
        float_nodes: Nodes that a quantized artifact leaves in float.
        target: Of an engine.
        parity: Against the fp32 ONNX file on held-out frames: errors of boxes and scores, mAP, change by class.
        latency: Measured latencies.
        speed: `verified`, or why not.
        metrics: Figures by the name of what they were measured on.
        training: Settings, data and commands.
        license: SPDX expression.
        seal: Hash of all the rest.
    """

    version: int = 1
    name: str
    status: str = "final"
    format: Literal["onnx", "tensorrt"] = "onnx"
    precision: Literal["fp32", "fp16", "int8-u8", "int8-s8", "int8-s8-fp16"] = "fp32"
    sha256: str
    size_bytes: int
    source: dict[str, Any] = Field(default_factory=dict)
    made_by: dict[str, str] = Field(default_factory=dict)
    classes: tuple[str, ...]
    input: str
    input_dtype: str = "float32"
    letterbox: str
    color_order: str
    scale: str
    layout: str
    calibration: Calibration | None = None
    float_nodes: tuple[str, ...] = ()
    target: Target | None = None
    parity: dict[str, Any] | None = None
    latency: tuple[Latency, ...] = ()
    speed: str = UNVERIFIED
    metrics: dict[str, dict[str, float]] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    license: str = "Apache-2.0"
    seal: str = ""

    @classmethod
    def read(cls, path: Path) -> Passport:
        """Read a passport.

        Raises:
            BadInput: If it is no passport, or was edited since it was written.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise BadInput(f"passport {path} cannot be read ({_first(error)}): make the artifact again") from error
        try:
            passport = cls.model_validate(content)
        except ValidationError as error:
            found = error.errors()[0]
            where = ".".join(map(str, found["loc"])) or "content"
            raise BadInput(f"passport {path}: {where}: {found['msg'].lower()}; make the artifact again") from error
        if passport.version != 1:
            raise BadInput(f"passport {path} has version {passport.version}: expected 1; update eyehand")
        if passport.seal != passport.content_sha256():
            raise BadInput(
                f"passport {path} was edited since it was written (its seal does not match): make the artifact again"
            )
        return passport

    def write(self, path: Path) -> Passport:
        """Seal it and write it; returns what was written."""
        sealed = self.model_copy(update={"seal": self.content_sha256()})
        text = json.dumps(sealed.model_dump(mode="json"), indent=2, allow_nan=False) + "\n"
        temporary = path.with_name(path.name + ".part")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
        return sealed

    def check_file(self, artifact: Path) -> None:
        """Refuse another file than the one that it speaks of.

        Raises:
            BadInput: If the hash differs.
        """
        found = file_sha256(artifact)
        if found != self.sha256:
            raise BadInput(
                f"passport {passport_path(artifact)} was written for another file than {artifact.name}: it says sha256 "
                f"{self.sha256[:12]}..., the file has {found[:12]}...; make the artifact again, or restore the file"
            )

    def check_metadata(self, metadata: Mapping[str, str]) -> None:
        """Refuse a model whose own metadata says otherwise: classes, input, letterbox, colour order, scale, layout.

        Args:
            metadata: What the model says about itself; keys that are not there are not held against it.

        Raises:
            BadInput: If one of them differs, naming both.
        """
        for name, key in _DESCRIBED.items():
            if key not in metadata:
                continue
            said, stands = getattr(self, name), metadata[key]
            if name == "classes":
                said, stands = ", ".join(said), _names(stands)
            if said != stands:
                raise BadInput(
                    f"the passport of {self.name} ({self.precision}) says {name} {said!r} and the model itself says "
                    f"{stands!r}: make the artifact again"
                )

    def check_target(self, machine: Target) -> None:
        """Refuse an engine that was built for another machine.

        Args:
            machine: This machine.

        Raises:
            BadInput: If TensorRT's version, the GPU or its compute capability differs.
        """
        if self.target is None:
            raise BadInput(f"the passport of {self.name} ({self.precision}) names no target: build the engine again")
        for name, what in (("tensorrt", "TensorRT"), ("gpu", "GPU"), ("sm", "compute capability")):
            built, here = getattr(self.target, name), getattr(machine, name)
            if built != here:
                raise BadInput(
                    f"the engine {self.name} ({self.precision}) was built for {what} {built} and this machine has "
                    f"{here}: build it here, eyehand build {self.name} --precision {self.precision.split('-')[0]}"
                )

    def metadata(self) -> dict[str, str]:
        """What it says of tensors and classes, under the keys that a model's own metadata has."""
        said = {key: str(getattr(self, name)) for name, key in _DESCRIBED.items() if name != "classes"}
        return {"eyehand.classes": json.dumps(self.classes), **said}

    def content_sha256(self) -> str:
        """Hash of all but the seal."""
        content = self.model_dump(mode="json", exclude={"seal"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def passport_path(artifact: Path) -> Path:
    """Where the passport of an artifact is: `passport.json` beside `model.onnx`, else its own name.

    An engine's has the whole name, `model.fp16.engine.passport.json`: the graph that it was built from may lie beside.
    """
    if artifact.name == "model.onnx":
        return artifact.with_name(PASSPORT_FILE)
    name = artifact.stem if artifact.suffix == ".onnx" else artifact.name
    return artifact.with_name(f"{name}.{PASSPORT_FILE}")


def file_sha256(path: Path) -> str:
    """Hash of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _names(text: str) -> str:
    try:
        return ", ".join(map(str, json.loads(text)))
    except (ValueError, TypeError):
        return text


def _first(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:120]
