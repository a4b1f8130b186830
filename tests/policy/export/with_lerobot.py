"""Small policies of LeRobot with random weights, saved as its own training saves them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from lerobot.configs.types import FeatureType, NormalizationMode, PolicyFeature
from lerobot.policies.factory import get_policy_class, make_policy_config, make_pre_post_processors

from policy.features import ACTION, ENVIRONMENT, STATE
from policy.spec import ImageSpec
from tests.policy.fake_engine import spec

CAMERA = "observation.images.wrist"
SMALL = {
    "act": {
        "chunk_size": 16, "dim_model": 32, "n_heads": 4, "dim_feedforward": 64, "n_encoder_layers": 1,
        "n_decoder_layers": 1, "n_vae_encoder_layers": 1,
    },
    "diffusion": {
        "horizon": 16, "down_dims": (16, 32), "diffusion_step_embed_dim": 16, "noise_scheduler_type": "DDIM",
        "num_inference_steps": 5,
    },
}  # fmt: skip


def save_policy(
    folder: Path, kind: str = "act", *, prefix: int = 0, image: bool = False, note: bool = True, **change: Any
) -> Path:
    """Write a checkpoint; with `note` False without what only our own training writes."""
    import torch

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    images = (ImageSpec(CAMERA, "wrist", 32, 48),) if image else ()
    described = replace(spec(prefix=prefix), kind=kind, images=images, dataset="toy")
    mode = NormalizationMode.MEAN_STD if kind == "act" else NormalizationMode.MIN_MAX
    sizes = {vector.name: len(vector.names) for vector in described.vectors} | {ACTION: 7}
    kinds = {STATE: FeatureType.STATE, ENVIRONMENT: FeatureType.ENV, ACTION: FeatureType.ACTION}
    features = {name: PolicyFeature(type=kinds[name], shape=(size,)) for name, size in sizes.items()}
    statistics = {name: _statistics(rng, size) for name, size in sizes.items()}
    if image:
        features[CAMERA] = PolicyFeature(type=FeatureType.VISUAL, shape=(3, 32, 48))
        statistics[CAMERA] = {key: np.full((3, 1, 1), value, np.float32) for key, value in _PIXELS.items()}
    output = {ACTION: features.pop(ACTION)}
    fields = {
        "input_features": features, "output_features": output, "n_obs_steps": 1, "n_action_steps": 16, "device": "cpu",
        "normalization_mapping": {"VISUAL": NormalizationMode.MEAN_STD, "STATE": mode, "ENV": mode, "ACTION": mode},
        "push_to_hub": False, "pretrained_backbone_weights": None,
    }  # fmt: skip
    config = make_policy_config(kind, **{**fields, **SMALL[kind], **change})
    policy = get_policy_class(kind)(config)
    for part in (policy, *make_pre_post_processors(config, dataset_stats=statistics)):
        part.save_pretrained(folder)
    if note:
        (folder / "eyehand_policy.json").write_text(described.to_json())
    return folder


_PIXELS = {"mean": 0.45, "std": 0.2, "min": 0.0, "max": 1.0}


def _statistics(rng: np.random.Generator, size: int) -> dict[str, Any]:
    mean, std = rng.normal(size=size), rng.uniform(0.1, 0.5, size)
    values = {"mean": mean, "std": std, "min": mean - 2 * std, "max": mean + 2 * std}
    return {key: value.astype(np.float32) for key, value in values.items()}


def write_pictures(dataset: Path, height: int = 32, width: int = 48) -> None:
    """Give every frame of a toy dataset a picture, as LeRobot holds them."""
    import json

    import cv2
    import pyarrow as pa
    import pyarrow.parquet as pq

    from deploy.export.pictures import picture

    file = dataset / "data" / "chunk-000" / "file-000.parquet"
    table = pq.read_table(file)
    pictures = [cv2.imencode(".png", picture((width, height), i))[1].tobytes() for i in range(table.num_rows)]
    pq.write_table(table.append_column(CAMERA, pa.array([{"bytes": b, "path": None} for b in pictures])), file)
    info = json.loads((dataset / "meta" / "info.json").read_text())
    info["features"][CAMERA] = {
        "dtype": "image", "shape": [height, width, 3], "names": ["height", "width", "channels"],
    }  # fmt: skip
    (dataset / "meta" / "info.json").write_text(json.dumps(info))
