"""A policy that was learned from demonstrations, as an inference engine runs it: no torch, no LeRobot."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from deploy.backend import Backend, Tensor
from deploy.errors import BadInput
from geometry.types import Array, Image
from policy.action_chunk import ActionChunk, ActionSpace
from policy.features import ACTION, values
from policy.observation import Observation
from policy.spec import METADATA_KEY, ImageSpec, PolicySpec

NOISE: Final = "noise"
_GRIPPER: Final = 6


class LearnedPolicy:
    """Fills the network's inputs by their names, and gives its output as a chunk.

    It has no state: what it plans is a function of the observation. A diffusion policy's noise is drawn from the seed
    and the observation's stamp.

    Args:
        backend: The engine with the model; its metadata hold the `PolicySpec`.
        where: Name of the model, for messages.
        seed: Of the noise.

    Raises:
        BadInput: If the file does not say that it is a policy, or contradicts its own description.
    """

    def __init__(self, backend: Backend, where: str, seed: int = 0) -> None:
        self._backend, self._seed = backend, seed
        self.spec = read_spec(backend, where)
        _check_tensors(backend, self.spec, where)
        self._noise_shape = next((spec.shape for spec in backend.io_spec.inputs if spec.name == NOISE), None)

    @property
    def chunk_size(self) -> int:
        """Actions in a chunk."""
        return self.spec.chunk_size

    @property
    def dt_ns(self) -> int:
        """Time between actions [ns]."""
        return self.spec.dt_ns

    @property
    def space(self) -> ActionSpace:
        """What the rows of its chunks mean."""
        return self.spec.action_space

    @property
    def prefix(self) -> int:
        """Most actions that may be frozen at the start of a chunk."""
        return self.spec.prefix

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras whose pictures it reads."""
        return tuple(image.camera for image in self.spec.images)

    def reset(self) -> None:
        """Nothing is kept from one observation to the next."""

    def plan(self, observation: Observation) -> ActionChunk:
        """Plan from an observation; the first rows are its frozen prefix, to the bit.

        Raises:
            BadInput: If a camera's picture is not there.
        """
        inputs: dict[str, Tensor] = {
            vector.name: values(observation, vector.names)[None].astype(np.float32) for vector in self.spec.vectors
        }
        for spec in self.spec.images:
            if spec.camera not in observation.images:
                raise BadInput(
                    f"the policy reads camera {spec.camera!r}, which shows nothing: give the rig that camera"
                )
            inputs[spec.name] = _picture(observation.images[spec.camera], spec)
        if self._noise_shape is not None:
            rng = np.random.default_rng([self._seed, observation.stamp_ns])
            inputs[NOISE] = rng.standard_normal(self._noise_shape, dtype=np.float32)
        actions: Array = self._backend.infer(inputs)[ACTION][0].astype(np.float64)
        actions[:, _GRIPPER] = np.clip(actions[:, _GRIPPER], 0.0, 1.0)
        held = observation.prefix[: self.prefix]
        actions[: len(held)] = held
        return ActionChunk(observation.stamp_ns, self.dt_ns, self.space, actions)


def read_spec(backend: Backend, where: str) -> PolicySpec:
    """The description inside a model file.

    Raises:
        BadInput: If there is none, or it cannot be used.
    """
    text = backend.metadata.get(METADATA_KEY)
    if text is None:
        raise BadInput(f"{where} does not say that it is a policy ({METADATA_KEY}): make it with eyehand export policy")
    return PolicySpec.from_json(text, where)


def _check_tensors(backend: Backend, spec: PolicySpec, where: str) -> None:
    """The tensors must be those of the description."""
    expected: dict[str, tuple[int, ...]] = {vector.name: (1, len(vector.names)) for vector in spec.vectors}
    expected.update({image.name: (1, 3, image.height, image.width) for image in spec.images})
    found = {tensor.name: tensor.shape for tensor in backend.io_spec.inputs if tensor.name != NOISE}
    if found != expected:
        raise BadInput(f"{where}: its inputs are {found}, by its description {expected}: export it again")
    output = {tensor.name: tensor.shape for tensor in backend.io_spec.outputs}
    shape = (1, spec.chunk_size, len(spec.action_names))
    if output.get(ACTION) != shape:
        raise BadInput(f"{where}: its outputs are {output}, by its description action {shape}: export it again")


def _picture(image: Image, spec: ImageSpec) -> Tensor:
    """BGR bytes to RGB from 0 to 1, of the size that the policy was taught with."""
    if image.shape[:2] != (spec.height, spec.width):
        image = np.asarray(cv2.resize(image, (spec.width, spec.height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    pixels: Tensor = np.ascontiguousarray(image[:, :, ::-1].transpose(2, 0, 1)[None]).astype(np.float32)
    pixels /= np.float32(255.0)
    return pixels
