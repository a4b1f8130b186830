"""What a policy will read and write, as its checkpoint says it."""

from __future__ import annotations

from typing import Final

from deploy.errors import BadInput
from policy.action_chunk import RELATIVE, ActionSpace
from policy.features import ACTION, ENVIRONMENT, STATE, prefix_names, unit_of
from policy.spec import ImageSpec, PolicySpec, VectorSpec
from policy.training.demonstrations import Demonstrations

PREFIX: Final = 8  # frozen actions at most: a delay of 0.8 s at 10 Hz


def describe(
    data: Demonstrations, policy: str, chunk_size: int, prefix: int | None, space: ActionSpace | None
) -> PolicySpec:
    """Describe a policy that learns from a dataset.

    Args:
        data: Demonstrations.
        policy: `act` or `diffusion`.
        chunk_size: Actions in a chunk.
        prefix: Most frozen actions; None takes as many as are usual.
        space: What the actions mean, where the dataset does not say.

    Raises:
        BadInput: If the dataset's features are not ours, or the action space is unknown, or takes no prefix.
    """
    if data.action_space is not None and space not in (None, data.action_space):
        raise BadInput(f"--action-space {space}: the dataset says {data.action_space}; leave the option out")
    space = data.action_space or space
    if space is None:
        raise BadInput(f"--dataset {data.folder}: does not say what its actions mean; give --action-space")
    if prefix is None:
        prefix = 0 if space in RELATIVE else min(PREFIX, chunk_size // 2)
    if prefix and space in RELATIVE:
        raise BadInput(f"--prefix {prefix}: a frozen prefix needs absolute actions, the dataset has {space}; give 0")
    if prefix >= chunk_size:
        raise BadInput(f"--prefix {prefix}: a chunk has {chunk_size} actions; freeze fewer")
    vectors = [(STATE, data.names[STATE])]
    environment = (*data.names.get(ENVIRONMENT, ()), *prefix_names(space, prefix))
    if environment:
        vectors.append((ENVIRONMENT, environment))
    actions = data.vectors[ACTION]
    spec = PolicySpec(
        kind=policy,
        chunk_size=chunk_size,
        dt_ns=round(1e9 / data.fps),
        action_space=space,
        action_names=data.names[ACTION],
        action_units=data.units(ACTION),
        action_min=tuple(actions.min(axis=0).tolist()),
        action_max=tuple(actions.max(axis=0).tolist()),
        vectors=tuple(VectorSpec(name, names, tuple(unit_of(part) or "" for part in names)) for name, names in vectors),
        images=tuple(
            ImageSpec(name, name.rpartition(".")[2], height, width) for name, (height, width) in data.images.items()
        ),
        prefix=prefix,
        dataset=data.fingerprint,
        robot=data.robot,
        object_class=data.object_class,
        bin_in_base_m=data.bin_in_base_m,
    )
    spec.check(f"--dataset {data.folder}")
    return spec
