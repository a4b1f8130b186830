"""An engine whose network is a function, to see what a learned policy is given and what becomes of its output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from deploy.backend import IoSpec, Tensor, TensorSpec
from policy.features import (
    ENVIRONMENT,
    ENVIRONMENT_NAMES,
    STATE,
    STATE_NAMES,
    UNITS,
    action_names,
    prefix_names,
    unit_of,
)
from policy.spec import METADATA_KEY, PolicySpec, VectorSpec

Network = Callable[[Mapping[str, Tensor]], Tensor]


def spec(space: Any = "joint_position", prefix: int = 0, **change: Any) -> PolicySpec:
    names = action_names(space)
    environment = (*ENVIRONMENT_NAMES, *prefix_names(space, prefix))
    most = 0.1 if space == "joint_delta" else 1.0
    made = PolicySpec(
        kind="act", chunk_size=16, dt_ns=100_000_000, action_space=space,
        action_names=names, action_units=tuple(UNITS[name] for name in names),
        action_min=(*(-most,) * 6, 0.0), action_max=(*(most,) * 6, 1.0),
        vectors=(
            VectorSpec(STATE, STATE_NAMES, tuple(UNITS[name] for name in STATE_NAMES)),
            VectorSpec(ENVIRONMENT, environment, tuple(str(unit_of(name)) for name in environment)),
        ),
        prefix=prefix, dataset="0123",
    )  # fmt: skip
    return replace(made, **change)


class FakeEngine:
    def __init__(self, spec: PolicySpec | str | None, network: Network | None = None, rows: int | None = None) -> None:
        self.given: dict[str, Tensor] = {}
        self._network = network or (lambda _: np.zeros((1, 16, 7), dtype=np.float32))
        described = spec if isinstance(spec, PolicySpec) else None
        inputs = [TensorSpec(v.name, (1, len(v.names)), "float32") for v in (described.vectors if described else ())]
        inputs += [
            TensorSpec(i.name, (1, 3, i.height, i.width), "float32") for i in (described.images if described else ())
        ]
        if described is not None and described.kind == "diffusion":
            inputs.append(TensorSpec("noise", (1, 16, 7), "float32"))
        size = rows or (described.chunk_size if described else 16)
        self.io_spec = IoSpec(tuple(inputs), (TensorSpec("action", (1, size, 7), "float32"),))
        text = spec.to_json() if isinstance(spec, PolicySpec) else spec
        self.metadata: dict[str, str] = {} if text is None else {METADATA_KEY: text}
        self.fingerprint = "fake"

    def infer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        assert {name: value.shape for name, value in inputs.items()} == {s.name: s.shape for s in self.io_spec.inputs}
        self.given = dict(inputs)
        return {"action": self._network(inputs)}

    def close(self) -> None: ...
