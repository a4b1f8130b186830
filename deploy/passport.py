"""What a detector's artifact says about itself, beside its file: its origin, what it takes and gives, what it is worth.

The file is small JSON. A run refuses an artifact whose passport speaks of another file, another preprocessing, other
classes or another machine; a seal over the content tells a passport that was edited by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

from deploy.errors import BadInput
from deploy.sealed_passport import (
    PASSPORT_FILE,
    PRECISIONS,
    UNVERIFIED,
    Calibration,
    Latency,
    Part,
    SealedPassport,
    file_sha256,
    passport_path,
)

__all__ = [
    "PASSPORT_FILE", "PRECISIONS", "UNVERIFIED", "Calibration", "Latency", "Passport", "Target", "file_sha256",
    "passport_path",
]  # fmt: skip

_DESCRIBED = {
    "classes": "eyehand.classes",
    "input": "eyehand.input",
    "letterbox": "eyehand.letterbox",
    "color_order": "eyehand.color_order",
    "scale": "eyehand.scale",
    "layout": "eyehand.layout",
}


class Target(Part):
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


class Passport(SealedPassport):
    """The passport of a detector's artifact; its parity is that against the fp32 ONNX file on held-out frames.

    Attributes:
        classes: Names of the classes, by class number.
        input: Shape of the input, such as `1x3x256x320`.
        input_dtype: Its type.
        letterbox: Rule by which an image becomes the input.
        color_order: `RGB` or `BGR`.
        scale: Of the pixels' values: `1/255`, or `baked` into the graph.
        layout: Of the output.
        target: Of an engine.
    """

    KIND: ClassVar[str] = "detector"

    classes: tuple[str, ...]
    input: str
    input_dtype: str = "float32"
    letterbox: str
    color_order: str
    scale: str
    layout: str
    target: Target | None = None

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


def _names(text: str) -> str:
    try:
        return ", ".join(map(str, json.loads(text)))
    except (ValueError, TypeError):
        return text
