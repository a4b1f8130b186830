"""Arguments of the commands that make, judge and time models."""

from __future__ import annotations

import argparse
from typing import Any

from launch.cli.values import at_least, counts, fraction, image_size, words

JSON = "print one JSON object and nothing else"


def add_model_commands(commands: Any, epilog: str) -> None:
    """Add them to the parser of `eyehand`.

    Args:
        commands: What `add_subparsers` gave.
        epilog: Text below each command's help.
    """
    _train(commands.add_parser("train", help="train a model", epilog=epilog), epilog)
    _export(commands.add_parser("export", help="export a framework's model to ONNX", epilog=epilog), epilog)
    _quantize(commands.add_parser("quantize", help="make INT8 and FP16 artifacts of a model", epilog=epilog))
    _build(commands.add_parser("build", help="build a TensorRT engine on the machine that runs it", epilog=epilog))
    _bench(commands.add_parser("bench", help="latency of a model on each engine of this machine", epilog=epilog))
    _eval(commands.add_parser("eval", help="measure how good a model or its tracks are", epilog=epilog), epilog)
    _render(commands.add_parser("render", help="render a labelled set from the simulated cell", epilog=epilog))


def _train(parser: argparse.ArgumentParser, epilog: str) -> None:
    models = parser.add_subparsers(dest="model", metavar="MODEL", required=True)
    detector = models.add_parser("detector", help="a slim YOLO or RT-DETR on rendered images", epilog=epilog)
    detector.add_argument("--images", type=at_least(10), default=2500, metavar="N", help="rendered images (2500)")
    detector.add_argument("--epochs", type=at_least(1), default=40, metavar="N", help="passes over them (40)")
    detector.add_argument("--seed", type=at_least(0), default=0, metavar="N", help="seed of scenes and training")
    detector.add_argument("--out", required=True, metavar="DIR", help="folder of the new model")
    detector.add_argument("--small-out", metavar="DIR", help="make a sibling for less compute too, into this folder")
    detector.add_argument(
        "--architecture", choices=("yolov8", "yolo11", "yolo26", "rtdetr"), default="yolov8", help="(yolov8)"
    )
    detector.add_argument("--width", type=float, metavar="X", help="factor of the channels (0.125); nano is 0.25")
    detector.add_argument("--start", metavar="NAME", help="model whose backbone and neck an rtdetr starts from")
    _train_policy(
        models.add_parser("policy", help="LeRobot's ACT or Diffusion Policy on demonstrations", epilog=epilog)
    )


def _train_policy(policy: argparse.ArgumentParser) -> None:
    add = policy.add_argument
    add("--policy", choices=("act", "diffusion"), default="act", help="(act)")
    add("--dataset", required=True, metavar="DIR", help="demonstrations: a LeRobot dataset (v3.0), `eyehand collect`")
    add("--out", required=True, metavar="DIR", help="folder of the training")
    add("--resume", action="store_true", help="go on from the newest checkpoint in --out, where there is one")
    add("--steps", type=at_least(1), default=10_000, metavar="N", help="batches to learn from (10000)")
    add("--batch-size", type=at_least(1), default=64, metavar="N", help="chunks a batch (64)")
    add("--learning-rate", type=float, metavar="X", help="its largest (act: 5e-4, diffusion: 1e-3)")
    add("--warmup", type=at_least(0), default=200, metavar="N", help="steps until it is at its largest (200)")
    add("--seed", type=at_least(0), default=0, metavar="N", help="of weights, split, order and noise (0)")
    add("--chunk-size", type=at_least(2), default=16, metavar="N", help="actions in a chunk (16)")
    add("--prefix", type=at_least(0), metavar="N", help="most actions that may be frozen (8, of increments 0)")
    add("--dim", type=at_least(8), metavar="N", help="width of the network (act: 128, diffusion: 64)")
    add("--held-out", type=fraction, default=0.1, metavar="X", help="part of the episodes to judge by (0.1)")
    add("--state-noise", metavar="SPREADS", help="added to the state: a factor, or by unit such as rad=0.01,m=0.002")
    add("--environment-noise", metavar="SPREADS", help="added to what is perceived: a factor, or by unit")
    add("--prefix-noise", metavar="SPREADS", help="offset of a frozen prefix: a factor, or by unit")
    add("--save-every", type=at_least(1), default=1000, metavar="N", help="steps between checkpoints (1000)")
    add(
        "--action-space", choices=("joint_position", "joint_delta", "joint_velocity", "ee_pose"),
        help="what the actions mean, where the dataset does not say",
    )  # fmt: skip
    add("--threads", type=at_least(1), metavar="N", help="of torch on a CPU (all that there are)")
    add("--device", default="cpu", metavar="NAME", help="of torch: cpu, cuda (cpu)")
    add("--workers", type=at_least(0), default=0, metavar="N", help="processes that decode pictures (0: none)")
    add(
        "--set", action="append", default=[], metavar="K=V", dest="assignments",
        help="change a field of LeRobot's configuration, for example kl_weight=5; may be repeated",
    )  # fmt: skip
    add("--json", action="store_true", help=JSON)


def _export(parser: argparse.ArgumentParser, epilog: str) -> None:
    models = parser.add_subparsers(dest="model", metavar="MODEL", required=True)
    detector = models.add_parser(
        "detector", help="YOLO v8, 11, 26 or RT-DETR of ultralytics, to a static ONNX file", epilog=epilog
    )
    detector.add_argument("weights", metavar="WEIGHTS", help=".pt checkpoint (a pickle: trust it), or a MODEL.yaml")
    detector.add_argument("--out", required=True, metavar="DIR", help="folder of the new model")
    detector.add_argument("--imgsz", type=image_size, metavar="WxH", help="input of the network [px], such as 320x256")
    detector.add_argument("--classes", type=words, metavar="A,B", help="class names, where the model has none")
    detector.add_argument("--opset", type=at_least(13), default=17, metavar="N", help="ONNX opset (17)")
    detector.add_argument(
        "--bake-preprocessing", action="store_true", help="take uint8 images: cast, colour order and scale in the graph"
    )
    detector.add_argument(
        "--letterbox", choices=("center-114", "stretch"),
        help="what training did to images (default: what the framework's own predictor does)",
    )  # fmt: skip
    detector.add_argument("--end2end", action="store_true", help="keep the head without suppression of YOLO v10 and 26")
    detector.add_argument("--seed", type=at_least(0), default=0, metavar="N", help="of a MODEL.yaml's random weights")
    detector.add_argument("--json", action="store_true", help=JSON)
    policy = models.add_parser(
        "policy", help="ACT or Diffusion Policy of LeRobot, to a static ONNX file", epilog=epilog
    )
    policy.add_argument("checkpoint", metavar="CHECKPOINT", help="LeRobot's pretrained_model folder, or a training's")
    policy.add_argument("--out", required=True, metavar="DIR", help="folder of the new model")
    policy.add_argument(
        "--dataset", metavar="DIR",
        help="what it was trained on: names and limits where the checkpoint has none, frames for the comparison",
    )  # fmt: skip
    policy.add_argument(
        "--action-space", choices=("joint_position", "joint_velocity", "joint_delta", "ee_pose"),
        help="what the actions mean, where neither checkpoint nor dataset says it",
    )  # fmt: skip
    policy.add_argument(
        "--denoising-steps", type=at_least(1), metavar="N", help="of DDIM, for a diffusion policy (its own)"
    )
    policy.add_argument("--inputs", type=at_least(64), default=64, metavar="N", help="compared with LeRobot (64)")
    policy.add_argument(
        "--int8", action="store_true", help="try the vision backbone in 8 bits, on --dataset's pictures"
    )
    policy.add_argument("--json", action="store_true", help=JSON)


def _quantize(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="name of a model in the store, or an .onnx file")
    parser.add_argument(
        "--bag", action="append", required=True, metavar="BAG", dest="bags",
        help="recording to calibrate on: run folder or bag; may be repeated",
    )  # fmt: skip
    parser.add_argument("--data", metavar="DATA", help="labelled images or bag for the gate (default: the bags)")
    parser.add_argument("--split", default="val", metavar="NAME", help="split of the labelled images (val)")
    parser.add_argument("--frames", type=at_least(8), default=400, metavar="N", help="frames to calibrate on (400)")
    parser.add_argument("--eval-frames", type=at_least(8), default=300, metavar="N", help="frames of the gate (300)")
    parser.add_argument("--out", metavar="DIR", help="folder of the artifacts (default: the model's own)")
    parser.add_argument(
        "--method",
        choices=("auto", "minmax", "percentile", "entropy"),
        default="auto",
        help="of the ranges (auto)",
    )
    parser.add_argument(
        "--precision", type=words, default=("int8-u8", "int8-s8", "fp16", "int8-s8-fp16"), metavar="LIST",
        help="artifacts to make (int8-u8,int8-s8,fp16,int8-s8-fp16)",
    )  # fmt: skip
    parser.add_argument("--sensitivity", action="store_true", help="rank the layers by what quantizing them costs")
    parser.add_argument("--everything", action="store_true", help="quantize head and decoding too: the gate refuses it")
    parser.add_argument("--threads", type=at_least(1), metavar="N", help="of the engines (2, or 1 on one core)")
    parser.add_argument("--json", action="store_true", help=JSON)


def _build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="name of a model in the store")
    parser.add_argument("--precision", choices=("fp16", "int8"), required=True, help="of the engine")
    parser.add_argument("--data", metavar="DATA", help="labelled images or bag for the accuracy gate; int8 needs it")
    parser.add_argument("--split", default="val", metavar="NAME", help="split of the labelled images (val)")
    parser.add_argument("--out", metavar="DIR", help="folder of the engine (default: the user's model folder)")
    parser.add_argument("--timing-cache", metavar="FILE", help="(default: one in the cache, for this machine)")
    parser.add_argument("--workspace-mb", type=at_least(1), default=1024, metavar="N", help="for the builder (1024)")
    parser.add_argument("--json", action="store_true", help=JSON)


def _bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="name of a model in the store, or an .onnx file")
    parser.add_argument("--batch", type=counts, default=(1,), metavar="LIST", help="batch sizes, such as 1,4,16 (1)")
    parser.add_argument("--backend", type=words, metavar="LIST", help="engines (default: all that are registered)")
    parser.add_argument("--threads", type=at_least(1), default=1, metavar="N", help="inside one operator (1)")
    parser.add_argument("--iterations", type=at_least(10), default=200, metavar="N", help="timed inferences (200)")
    parser.add_argument("--json", action="store_true", help=JSON)


def _eval(parser: argparse.ArgumentParser, epilog: str) -> None:
    models = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    detector = models.add_parser("detector", help="COCO's mean average precision of a detector", epilog=epilog)
    detector.add_argument("--model", default="tabletop-yolov8n", metavar="NAME", help="in the store, or an .onnx file")
    detector.add_argument("--data", required=True, metavar="PATH", help="YOLO, COCO or VOC set, or a labelled bag")
    detector.add_argument("--split", default="val", metavar="NAME", help="split of the set (val)")
    detector.add_argument("--backend", default="onnxruntime", metavar="NAME", help="engine (onnxruntime)")
    detector.add_argument("--precision", default="fp32", metavar="NAME", help="fp32, fp16 or int8 (fp32)")
    detector.add_argument("--threads", type=at_least(1), default=1, metavar="N", help="inside one operator (1)")
    detector.add_argument("--pictures", metavar="DIR", help="write precision-recall curves and confusion as PNG")
    detector.add_argument("--json", action="store_true", help=JSON)
    tracking = models.add_parser(
        "tracking",
        help="HOTA, MOTA and IDF1 of tracks",
        description="Score tracks against ground truth, both rows frame,id,left,top,width,height,conf,x,y,z of the "
        "MOTChallenge; truth with classes is treated as MOT16 and MOT17 treat it. Ratios are in percent, also in JSON.",
        epilog=epilog,
    )
    tracking.add_argument("--truth", required=True, metavar="FILE", help="ground truth")
    tracking.add_argument("--tracks", required=True, metavar="FILE", help="what is judged")
    what = tracking.add_mutually_exclusive_group()
    what.add_argument("--iou", type=float, default=0.5, metavar="X", help="compare boxes: overlap of a match (0.5)")
    what.add_argument(
        "--distance", type=float, metavar="METRES",
        help="compare places x,y,z: distance of a match [m]; similarity is 1 - d / (2 METRES)",
    )  # fmt: skip
    tracking.add_argument("--json", action="store_true", help=JSON)


def _render(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the new set")
    parser.add_argument("--images", type=at_least(1), default=300, metavar="N", help="number of images (300)")
    parser.add_argument("--seed", type=at_least(0), default=900_000, metavar="N", help="of the scenes (900000)")
    parser.add_argument(
        "--domain", choices=("task", "varied"), default="task", help="scenes as an episode has them, or wider (task)"
    )
    parser.add_argument("--format", choices=("yolo", "coco", "voc", "bag"), default="yolo", help="of the set (yolo)")
    parser.add_argument("--renderer", choices=("auto", "egl", "raycast"), default="auto", help="(auto)")
    parser.add_argument("--json", action="store_true", help=JSON)
