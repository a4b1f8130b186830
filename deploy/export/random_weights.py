"""Random weights that let an image through, so that an export of them can be compared and timed.

A fresh network's normalizations know nothing of its activations, which fade from layer to layer: whatever it sees, its
outputs are one constant, and any export would agree with it. Here the statistics are those of some pictures, and the
last layers are scaled so that scores and boxes differ from place to place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from deploy.errors import require
from deploy.export.pictures import picture

SCORE_MEAN, SCORE_STD = -3.0, 1.0  # logits
COEFFICIENT_STD = 1.0
BOX_STD = 0.4  # logits, or strides where a head gives distances themselves
_SIZE = (256, 192)
_PICTURES = 12
# Of the mean spread: a channel that hardly varies is rounding noise, and not to be made as loud as the others.
_QUIETEST = 0.3

Hook = Callable[[Any, Any, Any], Any]


def liven(network: Any, seed: int) -> None:
    """Set statistics and last layers of a fresh detector, in place.

    Args:
        network: A `DetectionModel` of ultralytics with a head of the kinds `Detect`, `Segment` or `RTDETRDecoder`.
        seed: Of the pictures and of what is drawn.
    """
    torch = require("torch", "train")
    pictures = np.stack([picture(_SIZE, seed + number) for number in range(_PICTURES)])
    images = torch.from_numpy(pictures[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255.0))
    generator = torch.Generator().manual_seed(seed)
    scores, boxes, coefficients = _last_layers(network.model[-1])
    hooks: list[tuple[Any, Hook]] = [
        *((module, _normalize) for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)),
        *((layer, _scale(torch, generator, SCORE_STD, SCORE_MEAN)) for layer in scores),
        *((layer, _scale(torch, generator, BOX_STD, None)) for layer in boxes),
        *((layer, _scale(torch, generator, COEFFICIENT_STD, 0.0)) for layer in coefficients),
    ]
    network.eval()
    # One pass sets them in the order in which the signal meets them.
    handles = [module.register_forward_hook(hook) for module, hook in hooks]
    try:
        with torch.no_grad():
            network(images)
    finally:
        for handle in handles:
            handle.remove()


def _last_layers(head: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """Layers that give scores, layers that give boxes, and layers that give the masks' coefficients."""
    if hasattr(head, "dec_score_head"):
        perceptrons = [head.enc_bbox_head, *head.dec_bbox_head]
        return [head.enc_score_head, *head.dec_score_head], [each.layers[-1] for each in perceptrons], []
    kinds = "cv3", "cv2", "cv4" if hasattr(head, "proto") else "none"
    levels = [[*getattr(head, kind, ()), *(getattr(head, f"one2one_{kind}", None) or ())] for kind in kinds]
    scores, boxes, coefficients = ([level[-1] for level in kind] for kind in levels)
    return scores, boxes, coefficients


def _normalize(norm: Any, inputs: Any, _: Any) -> Any:
    """A hook that brings what reaches a normalization to unit power, and gives its new output.

    One factor for all channels, and no mean taken off: by channel, so many layers of nothing learnt would turn rounding
    errors into other boxes.
    """
    norm.running_mean.zero_()
    norm.running_var.fill_(inputs[0].square().mean().item())
    return norm.forward(*inputs)


def _scale(torch: Any, generator: Any, std: float, mean: float | None) -> Hook:
    """A hook that scales a layer's weights to a spread of its outputs, channel by channel, and gives the new output.

    With `mean` None the mean of the outputs stays where it is.
    """

    def hook(layer: Any, inputs: Any, output: Any) -> Any:
        if not layer.weight.any():  # a decoder's boxes start as zeros
            layer.weight.normal_(0.0, 1.0, generator=generator)
            output = layer.forward(*inputs)
        channels = output.movedim(1 if output.dim() == 4 else -1, 0).flatten(1)
        centre, spread = channels.mean(1), channels.std(1)
        factor = std / spread.clamp_min(_QUIETEST * spread.mean().item() + 1e-9)
        goal = centre if mean is None else torch.full_like(centre, mean)
        layer.bias.copy_(goal + (layer.bias - centre) * factor)
        layer.weight.mul_(factor.reshape(-1, *[1] * (layer.weight.dim() - 1)))
        return layer.forward(*inputs)

    return hook
