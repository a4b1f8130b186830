"""`eyehand record`: cameras, image folders or video files to a bag, without an arm."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

from launch.bag import BagWriter
from launch.cli.say import progress, result
from launch.config import load_config, to_yaml
from launch.recorder import Recorder
from launch.schedulers.wall import RunClock
from launch.session import new_run_dir
from launch.wall_run import open_source


def execute(options: argparse.Namespace) -> int:
    """Run the command: one camera after the other delivers a frame, until the streams end or `--frames` are there."""
    config = load_config(options.config, options.assignments)
    clock = RunClock()
    sources = [open_source(camera, clock) for camera in config.rig.cameras]
    run_dir = new_run_dir(options.out, config.name)
    writer = BagWriter(run_dir, compression=config.record.compression, epoch_offset_ns=time.time_ns() - clock())
    recorder = Recorder(writer, blocking=True)
    counts = dict.fromkeys((source.name for source in sources), 0)
    open_ones = list(sources)
    try:
        recorder.text("config", to_yaml(config), 0)
        while open_ones:
            for source in tuple(open_ones):
                frame = source.read()
                if frame is None:
                    open_ones.remove(source)
                    continue
                received_ns = max(frame.received_ns, frame.stamp_ns)
                recorder.frame(replace(frame, received_ns=received_ns), received_ns)
                counts[source.name] += 1
                if options.frames is not None and counts[source.name] >= options.frames:
                    open_ones.remove(source)
    except KeyboardInterrupt:
        progress("interrupted: closing the bag")
    finally:
        recorder.close()
        for source in sources:
            source.close()
    (run_dir / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
    if options.json:
        result({"run_dir": str(run_dir), "frames": sum(counts.values()), "cameras": counts})
    else:
        progress(f"{sum(counts.values())} frames in {run_dir}")
    return 0
