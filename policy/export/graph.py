"""LeRobot's network as one ONNX graph: units in, units out, normalisation and sampling inside."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from deploy.errors import BadInput, require
from deploy.policy_passport import POLICY_METADATA
from policy.export.reference import Reference, quiet
from policy.features import ACTION, IMAGES
from policy.spec import PolicySpec
from policy.training.lerobot_policy import EXTRA

OPSET = 17
NOISE = "noise"

Tensors = Mapping[str, Any]


def export_graph(reference: Reference, spec: PolicySpec, target: Path, made_by: Mapping[str, str]) -> None:
    """Write the ONNX file: static shapes, batch 1, float32, inputs and output by LeRobot's names.

    What is traced is LeRobot's own code, its sampler included: the steps of DDIM stand in the graph one after another.

    Args:
        reference: The policy.
        spec: What it reads and writes; written into the file.
        target: The file.
        made_by: Versions.

    Raises:
        BadInput: If what it normalises by is not complete.
        Missing: If onnx is not installed.
    """
    torch = require("torch", EXTRA)
    onnx = require("onnx", EXTRA)
    shapes = input_shapes(reference)
    policy = copy.deepcopy(reference.policy)
    _fold_normalizations(torch, policy)
    module = torch.nn.Module()
    module.policy = policy
    module.forward = _forward(reference, policy, tuple(shapes))
    module.eval()
    arguments = tuple(torch.zeros(shape) for shape in shapes.values())
    with quiet(), torch.no_grad():
        torch.onnx.export(
            module, arguments, str(target), input_names=list(shapes), output_names=[ACTION], opset_version=OPSET,
            do_constant_folding=True, dynamo=False,
        )  # fmt: skip
    model = onnx.load(str(target))
    drop_aliases(model.graph)
    model.doc_string = model.graph.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""  # paths of the machine that exported
    described = {
        POLICY_METADATA: spec.to_json(),
        "eyehand.source": reference.checkpoint.sha256,
        "eyehand.made_by": json.dumps(dict(made_by)),
    }
    for key in sorted(described):
        model.metadata_props.add(key=key, value=described[key])
    onnx.checker.check_model(model)
    onnx.save(model, str(target))


def drop_aliases(graph: Any) -> None:
    """Let nodes read a weight itself: torch stores equal ones once, and hands them on through Identity nodes.

    A bias behind such a node is no constant to a quantizer.
    """
    weights = {entry.name for entry in graph.initializer}
    given = {entry.name for entry in graph.output}
    alias: dict[str, str] = {}
    kept = []
    for node in graph.node:
        source = alias.get(node.input[0], node.input[0]) if node.op_type == "Identity" else ""
        if source in weights and node.output[0] not in given:
            alias[node.output[0]] = source
        else:
            kept.append(node)
    for node in kept:
        for i, name in enumerate(node.input):
            node.input[i] = alias.get(name, name)
    copies = [type(node).FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(copies)


def input_shapes(reference: Reference) -> dict[str, tuple[int, ...]]:
    """Shapes of the graph's inputs by name, in the order of the checkpoint, with `noise` last where there is one."""
    shapes = {name: (1, *shape) for name, shape in reference.checkpoint.inputs.items()}
    if reference.noise_shape is not None:
        shapes[NOISE] = reference.noise_shape
    return shapes


def _fold_normalizations(torch: Any, network: Any) -> None:
    """Make the frozen normalisations of a backbone part of its convolutions, in place: 8 bits want them there."""
    for parent in list(network.modules()):
        children = list(parent.named_children())
        for (_, conv), (name, norm) in pairwise(children):
            if type(norm).__name__ == "FrozenBatchNorm2d" and isinstance(conv, torch.nn.Conv2d):
                conv.weight, conv.bias = torch.nn.utils.fuse_conv_bn_weights(
                    conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
                )
                parent.add_module(name, torch.nn.Identity())


def _forward(reference: Reference, policy: Any, names: tuple[str, ...]) -> Any:
    """What the graph computes, as torch traces it."""
    torch = require("torch", EXTRA)
    normalise = next((step for step in reference.before.steps if hasattr(step, "norm_map")), None)
    restore = next((step for step in reference.after.steps if hasattr(step, "norm_map")), None)
    cameras = [name for name in names if name.startswith(IMAGES)]

    def forward(*tensors: Any) -> Any:
        batch = dict(zip(names, tensors, strict=True))
        noise = batch.pop(NOISE, None)
        batch = _transformed(normalise, batch)
        if noise is None:
            if cameras:
                batch["observation.images"] = [batch[name] for name in cameras]
            actions = policy.model(batch)[0]
        else:
            seen = {name: values[:, None] for name, values in batch.items() if name not in cameras}
            if cameras:
                seen["observation.images"] = torch.stack([batch[name][:, None] for name in cameras], dim=-4)
            actions = policy.diffusion.generate_actions(seen, noise=noise)
        return _transformed(restore, {ACTION: actions}, inverse=True)[ACTION]

    return forward


def _transformed(step: Any, batch: Tensors, *, inverse: bool = False) -> dict[str, Any]:
    """Normalise, or restore, by the rules of a step of LeRobot; None leaves all as it is."""
    if step is None:
        return dict(batch)
    torch = require("torch", EXTRA)
    modes = {str(kind.value): str(mode.value) for kind, mode in step.norm_map.items()}
    only = None if inverse else step.normalize_observation_keys
    out = {}
    for name, values in batch.items():
        feature = step.features.get(name)
        stats = {key: torch.as_tensor(value) for key, value in (step.stats or {}).get(name, {}).items()}
        mode = "IDENTITY" if feature is None or not stats else modes.get(str(feature.type.value), "IDENTITY")
        if only is not None and name not in only:
            mode = "IDENTITY"
        missing = sorted(set(_STATISTICS.get(mode, ())) - stats.keys())
        if missing:
            raise BadInput(f"{name} is normalised by {mode} and its statistics have no {missing[0]}: train it again")
        out[name] = _transform(torch, values, mode, stats, step.eps, inverse=inverse)
    return out


_STATISTICS = {
    "MEAN_STD": ("mean", "std"), "MIN_MAX": ("min", "max"), "QUANTILES": ("q01", "q99"), "QUANTILE10": ("q10", "q90"),
}  # fmt: skip


def _transform(torch: Any, values: Any, mode: str, stats: Tensors, eps: float, *, inverse: bool) -> Any:
    """One tensor; the operations in LeRobot's order, so that the rounding is the same."""
    if mode == "IDENTITY":
        return values
    if values.dim() == 4:  # a picture's statistics are by channel
        stats = {key: value.reshape(-1, 1, 1) for key, value in stats.items()}
    if mode == "MEAN_STD":
        mean, std = stats["mean"].float(), stats["std"].float()
        return values * std + mean if inverse else (values - mean) / (std + eps)
    low, high = (stats[key].float() for key in _STATISTICS[mode])
    span = high - low
    span = torch.where(span == 0, torch.tensor(eps), span)
    return (values + 1) / 2 * span + low if inverse else 2 * (values - low) / span - 1
