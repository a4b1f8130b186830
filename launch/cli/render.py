"""`eyehand render`: labelled pictures of the simulated cell, as files of other tools or as a recording."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from launch.cli.say import progress, result

if TYPE_CHECKING:
    from robot.sim.labelled_set import RenderedSet

SPLIT = "val"
# Between two frames of a recording.
PERIOD_NS = 100_000_000
# Worker processes take seconds to start.
FEW = 40


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    from deploy.new_folder import check_new, workshop
    from perception.evaluation.writing import WRITERS
    from robot.sim.labelled_set import RenderedSet
    from robot.sim.render import make_renderer

    out = Path(options.out)
    check_new(out)
    renderer = make_renderer(options.renderer)  # says why, and refuses what does not work, before there is a folder
    name, reason = renderer.name, renderer.reason
    renderer.close()
    progress(f"rendering {options.images} pictures of the {options.domain} domain by {name} ({reason})")
    processes = min(2, os.cpu_count() or 1) if options.images > FEW else 1
    rendered = RenderedSet(
        "egl" if name == "egl" else "raycast", options.images, options.seed, options.domain, processes
    )
    with workshop(out) as place:  # a set that was broken off would open as a smaller one
        made = place / out.absolute().name
        write = WRITERS.get(options.format, _write_bag)
        data = out / write(rendered, made, SPLIT).relative_to(made)
        out.mkdir(exist_ok=True)
        for part in made.iterdir():
            part.replace(out / part.name)
    value = {
        "out": str(out),
        "data": str(data),
        "format": options.format,
        "images": options.images,
        "seed": options.seed,
        "domain": options.domain,
        "renderer": name,
        "classes": list(rendered.class_names),
        "split": SPLIT,
    }
    if options.json:
        result(value)
    else:
        progress(f"written: {data} (eyehand eval detector --data {data})")
    return 0


def _write_bag(rendered: RenderedSet, out: Path, _split: str) -> Path:
    """A recording of the wrist camera: a picture every 100 ms, with depth and labels of its stamp."""
    from launch.bag import topics
    from launch.bag.writer import BagWriter
    from perception.frame import Frame
    from perception.vision_messages import labels_message
    from robot.sim.labelled_set import labelled_image
    from robot.sim.layout import CAMERA, CAMERA_NAME
    from robot.sim.sensor import Sensor

    sensor = Sensor()
    scale_m = sensor.parameters.depth_scale_m
    with BagWriter(out) as bag:
        for sequence, sample in enumerate(rendered.samples()):
            stamp_ns = (sequence + 1) * PERIOD_NS
            depth = sensor.depth(sample.depth_m, sequence)
            bag.write_frame(
                Frame(CAMERA_NAME, sequence, stamp_ns, stamp_ns, sample.image, depth, scale_m, CAMERA), stamp_ns
            )
            labels = labelled_image(sample, str(stamp_ns))
            names = [rendered.class_names[class_id] for class_id in labels.class_ids.tolist()]
            message = labels_message(stamp_ns, CAMERA_NAME, labels.boxes, names, 1.0 - labels.ignore)
            bag.write_message(f"{topics.camera_prefix(CAMERA_NAME)}/labels", message, stamp_ns)
    return out
