"""An inference engine as the rest of the project sees it: tensors in, tensors out, and a name for what it computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

Tensor = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, static shape and numpy type name (`float32`, `uint8`, ...) of one tensor."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}{list(self.shape)}"


@dataclass(frozen=True, slots=True)
class IoSpec:
    """All inputs and outputs of a model, in the model's order."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.inputs))} -> {', '.join(map(str, self.outputs))}"


class Backend(Protocol):
    """A loaded model on one engine. Not thread-safe: one loop owns it."""

    @property
    def io_spec(self) -> IoSpec:
        """Inputs and outputs."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the model file says about itself (ONNX `metadata_props`)."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever the numbers may change: model file, engine, its version and its threads."""
        ...

    def infer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the model once.

        Args:
            inputs: One array for each input, of its shape and type.

        Returns:
            One array for each output; valid until the next call.

        Raises:
            BadInput: If an input is absent or has another shape or type, naming both.
        """
        ...

    def close(self) -> None:
        """Release the engine; calling it again does nothing."""
        ...
