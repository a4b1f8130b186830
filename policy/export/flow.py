"""From a checkpoint to a folder of the model store: looked at, described, exported, proved, then written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.model_store import MODEL_FILE
from deploy.new_folder import check_new, workshop
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.policy_passport import PolicyPassport
from policy.export import int8
from policy.export.checkpoint import open_checkpoint
from policy.export.describe import describe
from policy.export.folder import write_passport
from policy.export.graph import export_graph
from policy.export.parity import LEAST_INPUTS, Parity, compare, drawn, of_frames
from policy.export.pictures import holds_pictures
from policy.export.reference import load, versions
from policy.learned import LearnedPolicy
from policy.training.demonstrations import read_demonstrations

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PolicyExport:
    """What to export, and how.

    Attributes:
        checkpoint: Folder of LeRobot, or of a training.
        out: A new or an empty folder; its name becomes the model's.
        dataset: The demonstrations, where the training left no description; also what the parity is measured on.
        action_space: What the actions mean, where nothing says it.
        denoising_steps: Steps of DDIM, for a diffusion policy; None takes its own.
        inputs: How many inputs the parity is measured on.
        int8: Whether to try the vision backbone in 8 bits too.
        machine: Name of this machine's processor, for what is timed.
    """

    checkpoint: Path
    out: Path
    dataset: Path | None = None
    action_space: str | None = None
    denoising_steps: int | None = None
    inputs: int = LEAST_INPUTS
    int8: bool = False
    machine: str = "unknown"


def export_policy(order: PolicyExport, progress: Progress) -> tuple[PolicyPassport | None, Parity]:
    """Export a policy.

    Args:
        order: What, and how.
        progress: Told each step.

    Returns:
        The passport, and how far the file is from LeRobot; no passport, and nothing written, if that is too far.

    Raises:
        BadInput: If the checkpoint, the dataset or the folder cannot be used.
        Missing: If LeRobot, torch, onnx or ONNX Runtime is not installed.
    """
    check_new(order.out)
    checkpoint = open_checkpoint(order.checkpoint)
    data = None if order.dataset is None else read_demonstrations(order.dataset)
    if checkpoint.description is None and data is None:
        describe(checkpoint, 0, None, order.action_space)  # says what to give, before seconds of loading
    reference = load(checkpoint, order.denoising_steps)
    spec = describe(checkpoint, reference.chunk_size, data, order.action_space)
    if order.int8:
        held = data is not None and all(holds_pictures(data.folder, image.name) for image in spec.images)
        int8.check(spec, held)
    made_by = versions()
    with workshop(order.out) as shop:
        place = shop / "model"
        place.mkdir()
        progress(f"exporting {checkpoint.folder}: {spec.kind}, {spec.chunk_size} actions, {spec.action_space}")
        export_graph(reference, spec, place / MODEL_FILE, made_by)
        backend = OnnxRuntimeBackend(place / MODEL_FILE)
        try:
            LearnedPolicy(backend, order.out.name)  # the run time takes it
            if data is None:
                inputs, of = drawn(reference, order.inputs), "drawn inputs"
            else:
                inputs, of = of_frames(reference, spec, data, order.inputs), f"frames of {data.folder.name}"
            parity = compare(reference, backend, spec, inputs, of)
            if not parity.close:
                return None, parity
            passport = write_passport(place, order.out.resolve().name, spec, backend, parity, checkpoint, made_by)
        finally:
            backend.close()
        if order.int8 and data is not None:
            frames = of_frames(reference, spec, data, int8.CALIBRATED + int8.JUDGED, seed=1)
            trial = int8.try_int8(place, spec, frames)
            if trial.pays:
                int8.write_int8_passport(place, passport, trial, frames, data.folder.name, order.machine)
            else:
                (place / int8.ARTIFACT).unlink()
            progress(f"{trial}: {'shipped beside it' if trial.pays else 'not shipped'}")
        place.replace(order.out)  # onto nothing or an empty folder
    return passport, parity
