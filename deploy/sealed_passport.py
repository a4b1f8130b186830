"""What every passport has: which file it speaks of, what made it, what it is worth, and a seal over all of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.errors import BadInput

if TYPE_CHECKING:
    from typing_extensions import Self

PRECISIONS = ("fp32", "fp16", "int8-u8", "int8-s8", "int8-s8-fp16")
PASSPORT_FILE = "passport.json"  # of model.onnx; X.onnx has X.passport.json, X.engine X.engine.passport.json
UNVERIFIED = "unverified on target"


class Part(BaseModel):
    """A part of a passport: it does not change, and holds nothing that it does not name."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Calibration(Part):
    """What the ranges of a quantized artifact come from.

    Attributes:
        method: `minmax`, `percentile` or `entropy`.
        frames: Number of frames.
        sha256: Hash of the frames as the network took them.
        sources: The recordings, by name.
        tried: What each method that was tried reached: mAP50-95, or the error of a policy's actions.
    """

    method: str
    frames: int
    sha256: str
    sources: tuple[str, ...] = ()
    tried: dict[str, float] = Field(default_factory=dict)


class Latency(Part):
    """One measured latency and its conditions; `n` inferences after a warm-up."""

    backend: str
    machine: str
    threads: int | None = None
    n: int
    p50_ms: float
    p99_ms: float
    conditions: str | None = None


class SealedPassport(Part):
    """The passport of one artifact, of whatever kind of model.

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
        calibration: Of a quantized artifact.
        float_nodes: Nodes that a quantized artifact leaves in float.
        parity: Against what it was made from.
        latency: Measured latencies.
        speed: `verified`, or why not.
        metrics: Figures by the name of what they were measured on.
        training: Settings, data and commands.
        license: SPDX expression, or `unknown`.
        seal: Hash of all the rest.
    """

    KIND: ClassVar[str] = ""  # of model

    version: int = 1
    name: str
    status: str = "final"
    format: Literal["onnx", "tensorrt"] = "onnx"
    precision: Literal["fp32", "fp16", "int8-u8", "int8-s8", "int8-s8-fp16"] = "fp32"
    sha256: str
    size_bytes: int
    source: dict[str, Any] = Field(default_factory=dict)
    made_by: dict[str, str] = Field(default_factory=dict)
    calibration: Calibration | None = None
    float_nodes: tuple[str, ...] = ()
    parity: dict[str, Any] | None = None
    latency: tuple[Latency, ...] = ()
    speed: str = UNVERIFIED
    metrics: dict[str, dict[str, float]] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    license: str = "Apache-2.0"
    seal: str = ""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a passport.

        Raises:
            BadInput: If it is no passport, one of another kind of model, or was edited since it was written.
        """
        content = content_of(path)
        kind = kind_of(content)
        if kind != cls.KIND:
            raise BadInput(f"passport {path} is that of a {kind}, not of a {cls.KIND}: name a {cls.KIND}'s model")
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

    def write(self, path: Path) -> Self:
        """Seal it and write it; returns what was written."""
        sealed = self.model_copy(update={"seal": self.content_sha256()})
        content = sealed.model_dump(mode="json")
        content["seal"] = content.pop("seal")  # at the end
        temporary = path.with_name(path.name + ".part")
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
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

    def content_sha256(self) -> str:
        """Hash of all but the seal."""
        content = self.model_dump(mode="json", exclude={"seal"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def content_of(path: Path) -> Any:
    """What a passport's file holds, unchecked.

    Raises:
        BadInput: If it is not there or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise BadInput(f"passport {path} cannot be read ({_first(error)}): make the artifact again") from error


def kind_of(content: Any) -> str:
    """Kind of model that a passport's content speaks of: those of detectors, which came first, do not say it."""
    return str(content.get("kind", "detector")) if isinstance(content, dict) else "detector"


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


def _first(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:120]
