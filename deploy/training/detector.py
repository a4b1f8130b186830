"""Training of a small YOLO or RT-DETR on a rendered or recorded set, on a CPU or a GPU: from scratch, or on from there.

Network, loss and trainer are Ultralytics' (AGPL-3.0), imported when a training starts. The images are letterboxed to a
rectangle of 4:3 plus padding, so a 640x480 camera wastes little of the input.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from deploy.errors import BadInput, require
from deploy.export.detector import export_checkpoint
from deploy.training import cpu_torchvision
from deploy.training.architecture import (
    WIDTH,
    YOLO_RATE,
    check_network,
    describe_network,
    head_index,
    width_of,
    write_network,
)
from deploy.training.rtdetr import rectangular_trainer

# Of the sibling that takes over when the detector breaks its budget: a picture of 640x480 at 0.3 of its size, in 0.4 of
# the time that 320 takes.
SMALL_IMGSZ = 192
LETTERBOX = "center-114"  # of the trainer's rectangles


@dataclass(frozen=True, slots=True)
class DetectorTraining:
    """How to train a detector.

    Attributes:
        data: The set's `data.yaml`, in YOLO's folder layout.
        out: Folder for checkpoints, curves and `model.onnx`.
        epochs: Passes over the training split.
        imgsz: Longer side of the network's input [px], a multiple of 32.
        seed: Seed of weights, shuffling and augmentation.
        width: Factor of the channels; 0.25 is the nano size. The default is a third of nano's arithmetic.
        batch: Images a step.
        threads: Threads of torch on a CPU.
        learning_rate: Largest learning rate of AdamW; it falls along a cosine.
        device: `cpu`, or the number of a GPU.
        workers: Processes that load images; 0 loads in the training process.
        weights: Checkpoint to go on from, of the same width and classes; None starts from scratch. An RT-DETR takes
            backbone and neck of a YOLOv8 too.
        architecture: One of `deploy.training.architecture.ARCHITECTURES`.
        frozen: Whether backbone and neck stay as the weights have them, and the head alone learns.
    """

    data: Path
    out: Path
    epochs: int = 60
    imgsz: int = 320
    seed: int = 0
    width: float = WIDTH
    batch: int = 16
    threads: int = 2
    learning_rate: float = YOLO_RATE
    device: str = "cpu"
    workers: int = 0
    weights: Path | None = None
    architecture: str = "yolov8"
    frozen: bool = False

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise BadInput(f"epochs = {self.epochs}: expected at least 1")
        if self.imgsz < 64 or self.imgsz % 32:
            raise BadInput(f"imgsz = {self.imgsz}: expected a multiple of 32 from 64 on, for example 320")
        check_network(self.architecture, self.width)
        if self.frozen and self.weights is None:
            raise BadInput("frozen = True without weights: a backbone that nothing was taught must learn; name weights")
        if not self.data.is_file():
            raise BadInput(f"training set {self.data} does not exist: expected a data.yaml; render one first")
        if self.weights is not None and not self.weights.is_file():
            raise BadInput(f"weights {self.weights} do not exist: expected a .pt file of a finished training")

    @property
    def input_hw(self) -> tuple[int, int]:
        """Height and width of the network's input [px]: 3:4, rounded up to the stride of 32."""
        return (-(-self.imgsz * 3 // 4 // 32) * 32, self.imgsz)

    @property
    def checkpoint(self) -> Path:
        """Where the trainer leaves the weights of the best epoch."""
        return self.out / "run" / "weights" / "best.pt"

    def small(self) -> DetectorTraining:
        """The training of the smaller sibling: this one's weights, used to a smaller input in a quarter of the epochs.

        As they are, the weights find the objects at that size too, but with 0.8 false alarms a frame: what small
        patches look like is new to them. A few epochs at a quarter of the learning rate leave less than 0.1.
        """
        return replace(
            self,
            out=self.out / "small",
            epochs=math.ceil(self.epochs / 4),
            imgsz=SMALL_IMGSZ,
            learning_rate=self.learning_rate / 4,
            weights=self.checkpoint,
        )

    def thawed(self, epochs: int) -> DetectorTraining:
        """What follows a training with a frozen backbone: all layers, at a fifth of the learning rate.

        Args:
            epochs: Passes over the training split.
        """
        return replace(
            self,
            out=self.out / "thawed",
            epochs=epochs,
            learning_rate=self.learning_rate / 5,
            weights=self.checkpoint,
            frozen=False,
        )

    def started(self, weights: Path) -> DetectorTraining:
        """The same training of a decoder on trained weights: of their width, backbone and neck frozen at first.

        Args:
            weights: Checkpoint of a YOLOv8.
        """
        width = width_of(load_ultralytics(self.out), weights)
        return replace(self, weights=weights, width=width, frozen=True)


def train_detector(options: DetectorTraining) -> Path:
    """Train, then export the best checkpoint.

    Args:
        options: What and how to train.

    Returns:
        Path of the exported `model.onnx` in `options.out`.

    Raises:
        Missing: If torch or ultralytics is not installed.
    """
    ultralytics = load_ultralytics(options.out)
    torch = require("torch", "train")
    model, special = _network(ultralytics, options)

    def tune_for_cpu(trainer: Any) -> None:
        # The framework takes one core less than there are, which halves a machine of two, and keeps channels_last for
        # GPUs; on a CPU it takes a third off each step.
        torch.set_num_threads(options.threads)
        trainer.model.to(memory_format=torch.channels_last)

    if options.device == "cpu":
        model.add_callback("on_train_start", tune_for_cpu)
    model.train(
        data=str(options.data),
        project=str(options.out.resolve()),
        name="run",
        exist_ok=True,
        epochs=options.epochs,
        imgsz=options.imgsz,
        rect=True,
        batch=options.batch,
        nbs=options.batch,
        seed=options.seed,
        deterministic=True,
        device=options.device,
        workers=options.workers,
        cache="ram",
        optimizer="AdamW",
        lr0=options.learning_rate,
        lrf=0.01,
        cos_lr=True,
        warmup_epochs=1.0,
        # The biases start with this rate: right for new ones of a YOLO, the end of trained ones and of a decoder's.
        warmup_bias_lr=0.1 if options.weights is None and options.architecture != "rtdetr" else 0.0,
        amp=False,
        plots=False,
        pretrained=options.weights is not None,
        patience=options.epochs,
        # Red is what tells the classes apart, so the hue stays; a rectangle has no mosaic, and the set varies enough.
        hsv_h=0.0,
        hsv_s=0.2,
        hsv_v=0.25,
        translate=0.08,
        scale=0.25,
        fliplr=0.5,
        mosaic=0.0,
        erasing=0.0,
        **special,
    )
    return export_checkpoint(options.checkpoint, options.out / "model.onnx", options.input_hw, letterbox=LETTERBOX)


def load_ultralytics(config_dir: Path) -> Any:
    """Import ultralytics so that it stays off the network, installs nothing and keeps its settings in `config_dir`."""
    config_dir.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_CONFIG_DIR", str((config_dir / "ultralytics").resolve()))
    Path(os.environ["YOLO_CONFIG_DIR"]).mkdir(parents=True, exist_ok=True)
    # Threads that spin while they wait for each other make a shared machine several times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    require("torch", "train")
    cpu_torchvision.install()
    return require("ultralytics", "train")


def class_names(data: Path) -> tuple[str, ...]:
    """Read the class names of a set, in the order of their ids.

    Raises:
        BadInput: If the file names no classes.
    """
    content = yaml.safe_load(data.read_text())
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, dict) and names:
        return tuple(str(names[key]) for key in sorted(names))
    if isinstance(names, list) and names:
        return tuple(str(name) for name in names)
    raise BadInput(f"{data} names no classes: expected a 'names' entry such as {{0: red_cube, 1: distractor}}")


def _network(ultralytics: Any, options: DetectorTraining) -> tuple[Any, dict[str, Any]]:
    """The network to train, and what its training needs besides the usual arguments."""
    content = describe_network(ultralytics, options.architecture, options.width, len(class_names(options.data)))
    special: dict[str, Any] = {}
    if options.architecture == "rtdetr":
        model = ultralytics.RTDETR(str(write_network(content, options.out, options.architecture)))
        special["trainer"] = rectangular_trainer(fixed_statistics=options.weights is not None)
        if options.weights is not None:
            model.load(str(options.weights))
    else:
        start = options.weights or write_network(content, options.out, options.architecture)
        model = ultralytics.YOLO(str(start))
    if options.frozen:
        special["freeze"] = head_index(content)
    return model, special
