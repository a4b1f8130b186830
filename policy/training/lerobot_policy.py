"""LeRobot's ACT and Diffusion Policy, configured for what is demonstrated: their classes, no fork of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from deploy.errors import BadInput, Missing, require
from deploy.training import cpu_torchvision
from policy.features import ACTION, ENVIRONMENT, STATE
from policy.training.demonstrations import Demonstrations, Floats
from policy.training.options import PolicyTraining

EXTRA: Final = "train-policy"
DENOISING_STEPS: Final = 10  # of DDIM, at run time: each is one pass through the network
FIXED: Final = ("input_features", "output_features", "chunk_size", "horizon", "n_action_steps", "n_obs_steps", "device")


def load_lerobot() -> Any:
    """Import torch and LeRobot's policies.

    Returns:
        The module `torch`.

    Raises:
        Missing: If one is absent, naming the extra.
    """
    torch = require("torch", EXTRA)
    require("torchvision", EXTRA) if torch.version.cuda is not None else cpu_torchvision.install()
    require("lerobot.policies.factory", EXTRA)
    return torch


def check_device(torch: Any, name: str) -> None:
    """Refuse a device that torch does not have, which LeRobot would replace by another in silence.

    Raises:
        BadInput: If torch knows no device of that name.
        Missing: If this machine has none.
    """
    try:
        torch.zeros(1, device=name)
    except AssertionError as error:  # a build of torch without CUDA
        raise Missing(f"--device {name}: {error}; train with --device cpu") from error
    except RuntimeError as error:
        kind = Missing if name.split(":")[0] in ("cuda", "mps", "xpu") else BadInput
        raise kind(f"--device {name}: {str(error).splitlines()[0]}; expected cpu or cuda") from error


def make_policy(training: PolicyTraining, data: Demonstrations, statistics: Mapping[str, Mapping[str, Floats]]) -> Any:
    """A policy with random weights from torch's generator, and its processors.

    Args:
        training: How to train.
        data: Demonstrations.
        statistics: What to normalise by.

    Returns:
        LeRobot's policy, preprocessor and postprocessor.
    """
    from lerobot.policies.factory import get_policy_class, make_pre_post_processors

    config = make_config(training, data, statistics)
    policy = get_policy_class(training.policy)(config).to(config.device)
    return (policy, *make_pre_post_processors(config, dataset_stats=dict(statistics)))


def make_config(training: PolicyTraining, data: Demonstrations, statistics: Mapping[str, Mapping[str, Floats]]) -> Any:
    """LeRobot's configuration.

    Raises:
        BadInput: If an override is no field of it, or a value does not suit.
    """
    from lerobot.configs.types import FeatureType, NormalizationMode, PolicyFeature
    from lerobot.policies.factory import make_policy_config

    kinds = {STATE: FeatureType.STATE, ENVIRONMENT: FeatureType.ENV}
    inputs = {
        name: PolicyFeature(type=kinds[name], shape=(len(statistics[name]["mean"]),))
        for name in kinds
        if name in statistics
    }
    for name, (height, width) in data.images.items():
        inputs[name] = PolicyFeature(type=FeatureType.VISUAL, shape=(3, height, width))
    if set(inputs) == {STATE}:
        raise BadInput(f"--dataset {data.folder}: has neither {ENVIRONMENT} nor pictures; a policy would be blind")
    size = data.vectors[ACTION].shape[1]
    act = training.policy == "act"
    vector = NormalizationMode.MEAN_STD if act else NormalizationMode.MIN_MAX
    fields = {
        "input_features": inputs,
        "output_features": {ACTION: PolicyFeature(type=FeatureType.ACTION, shape=(size,))},
        "normalization_mapping": {
            "VISUAL": NormalizationMode.MEAN_STD, "STATE": vector, "ENV": vector, "ACTION": vector,
        },
        "n_obs_steps": 1,
        "n_action_steps": training.chunk_size,
        "device": training.device,
        "push_to_hub": False,
        "pretrained_backbone_weights": None,
        **(_act(training, bool(data.images)) if act else _diffusion(training)),
    }  # fmt: skip
    try:
        usual = make_policy_config(training.policy, device=training.device)
        _check(training.overrides, {field.name: getattr(usual, field.name) for field in dataclasses.fields(usual)})
        return make_policy_config(training.policy, **{**fields, **training.overrides})
    except (ValueError, TypeError, NotImplementedError, AssertionError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"LeRobot refuses this {training.policy}: {error}") from error


def _act(training: PolicyTraining, images: bool) -> dict[str, Any]:
    if training.dim % 8:
        raise BadInput(f"--dim {training.dim}: not a multiple of 8, the heads of the attention")
    return {
        "chunk_size": training.chunk_size,
        "dim_model": training.dim,
        "n_heads": 8,
        "dim_feedforward": 4 * training.dim,
        "n_encoder_layers": 3,
        "n_decoder_layers": 1,
        "n_vae_encoder_layers": 2,
        # What a script demonstrates has one way to go on: a latent for the style of a demonstration learns nothing from
        # it (ACT, section VI; its divergence goes to 0), and dropout costs precision where there is none to waste.
        "use_vae": images,
        "dropout": 0.1 if images else 0.0,
        "optimizer_lr": training.learning_rate,
        "optimizer_lr_backbone": training.learning_rate / 10,
    }


def _diffusion(training: PolicyTraining) -> dict[str, Any]:
    return {
        "horizon": training.chunk_size,
        "down_dims": (training.dim, 2 * training.dim, 4 * training.dim),
        "noise_scheduler_type": "DDIM",
        "num_inference_steps": DENOISING_STEPS,
        "do_mask_loss_for_padding": True,
        "drop_n_last_frames": 0,
        "optimizer_lr": training.learning_rate,
    }


def _check(overrides: Mapping[str, Any], usual: Mapping[str, Any]) -> None:
    """LeRobot takes any value for a field, and fails on it later or not at all."""
    for name, value in overrides.items():
        if name in FIXED:
            raise BadInput(f"--set {name}: follows from the dataset and the command's own options; leave it out")
        if name not in usual:
            raise BadInput(f"--set {name}: LeRobot's policy has no such field; it has {', '.join(sorted(usual))}")
        kind = type(usual[name])
        suits = type(value) is kind or (kind is float and type(value) is int) or (kind is tuple and type(value) is list)
        if usual[name] is not None and not suits:
            raise BadInput(f"--set {name}={value}: expected a value such as {usual[name]}")
