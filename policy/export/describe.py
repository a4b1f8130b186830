"""What a checkpoint reads and writes, by name and unit: as its training noted it, or as the dataset says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from deploy.errors import BadInput
from policy.action_chunk import ActionSpace
from policy.export.checkpoint import DESCRIPTION, Checkpoint
from policy.features import ACTION, IMAGES, action_names
from policy.spec import ImageSpec, PolicySpec, VectorSpec
from policy.training.demonstrations import Demonstrations


def describe(
    checkpoint: Checkpoint, chunk_size: int, data: Demonstrations | None, action_space: str | None
) -> PolicySpec:
    """Names, units, times and limits of a policy.

    Args:
        checkpoint: The policy.
        chunk_size: Actions that it gives at once.
        data: The demonstrations that it was trained on: all of the description where its training left none, else
            what that does not say of the robot, the object and the bin.
        action_space: What the actions mean, where neither says it.

    Raises:
        BadInput: If nobody says what the numbers mean, what is said does not fit the network, or it was trained on
            another dataset.
    """
    file = checkpoint.description
    if file is not None:
        spec = PolicySpec.from_json(_text(file), str(file))
        if action_space not in (None, spec.action_space):
            raise BadInput(f"--action-space {action_space}: {file} says {spec.action_space}; leave it out")
        _check(checkpoint, spec, chunk_size, str(file))
        return spec if data is None else _completed(spec, data, file)
    if data is None:
        raise BadInput(
            f"checkpoint {checkpoint.folder} has no {DESCRIPTION}, and LeRobot's own files name no joint and no unit: "
            "give the dataset that it was trained on with --dataset"
        )
    spec = _of_dataset(checkpoint, chunk_size, data, action_space)
    where = f"--dataset {data.folder}"
    spec.check(where)
    _check(checkpoint, spec, chunk_size, where)
    return spec


def _completed(spec: PolicySpec, data: Demonstrations, file: Path) -> PolicySpec:
    """A training's note with what it does not say, as the dataset says it."""
    if spec.dataset and spec.dataset != data.fingerprint:
        raise BadInput(
            f"--dataset {data.folder} has fingerprint {data.fingerprint[:12]}, {file} says that the policy was trained "
            f"on {spec.dataset[:12]}: give that one, or leave it out"
        )
    completed = replace(
        spec,
        robot=spec.robot or data.robot,
        object_class=spec.object_class or data.object_class,
        bin_in_base_m=spec.bin_in_base_m or data.bin_in_base_m,
    )
    completed.check(f"--dataset {data.folder}")
    return completed


def _of_dataset(checkpoint: Checkpoint, chunk_size: int, data: Demonstrations, action_space: str | None) -> PolicySpec:
    vectors, images = [], []
    for name, shape in checkpoint.inputs.items():
        if name.startswith(IMAGES):
            images.append(ImageSpec(name, name[len(IMAGES) :], shape[1], shape[2]))
        elif name in data.vectors:
            vectors.append(VectorSpec(name, data.names[name], data.units(name)))
        else:
            raise BadInput(f"--dataset {data.folder} has no {name}, which the policy reads: is it another dataset?")
    actions = data.vectors[ACTION]
    return PolicySpec(
        kind=checkpoint.kind,
        chunk_size=chunk_size,
        dt_ns=round(1e9 / data.fps),
        action_space=_space(data, action_space),
        action_names=data.names[ACTION],
        action_units=data.units(ACTION),
        action_min=tuple(actions.min(axis=0).tolist()),
        action_max=tuple(actions.max(axis=0).tolist()),
        vectors=tuple(vectors),
        images=tuple(images),
        dataset=data.fingerprint,
        robot=data.robot,
        object_class=data.object_class,
        bin_in_base_m=data.bin_in_base_m,
    )


def _space(data: Demonstrations, asked: str | None) -> ActionSpace:
    """What the dataset says, else what its names of the actions say, else what is asked for."""
    spaces: tuple[Any, ...] = get_args(ActionSpace)
    said = data.action_space or next((each for each in spaces if action_names(each) == data.names[ACTION]), None)
    if said is None and asked is None:
        raise BadInput(
            f"--dataset {data.folder} does not say what its actions are ({', '.join(data.names[ACTION][:3])}, ...): "
            f"give --action-space, one of {', '.join(spaces)}"
        )
    if asked not in (None, said) and said is not None:
        raise BadInput(f"--action-space {asked}: --dataset {data.folder} says {said}; leave it out")
    space: ActionSpace = next(each for each in spaces if each == (said or asked))
    return space


def _check(checkpoint: Checkpoint, spec: PolicySpec, chunk_size: int, where: str) -> None:
    """The description and the network must be of one size."""
    said: dict[str, tuple[int, ...]] = {vector.name: (len(vector.names),) for vector in spec.vectors}
    said |= {image.name: (3, image.height, image.width) for image in spec.images}
    for name in (*checkpoint.inputs, *said):
        found, expected = checkpoint.inputs.get(name), said.get(name)
        if found != expected:
            raise BadInput(
                f"{where}: {name} has shape {expected}, the policy's is {found}: is it of another "
                "policy, or of another dataset?"
            )
    if spec.kind != checkpoint.kind or spec.chunk_size != chunk_size:
        raise BadInput(
            f"{where}: {spec.kind} with chunks of {spec.chunk_size}, the policy is {checkpoint.kind} with chunks of "
            f"{chunk_size}: is it of another policy?"
        )
    size = int(checkpoint.config["output_features"][ACTION]["shape"][0])
    if size != len(spec.action_names):
        raise BadInput(f"{where}: actions of {len(spec.action_names)} numbers, the policy's have {size}")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BadInput(f"{file} cannot be read ({error}): train again, or take it away and give --dataset") from error
