"""`eyehand record`: cameras, image folders or video files to a bag, without an arm."""

from __future__ import annotations

import argparse
import threading
import time
from contextlib import ExitStack
from dataclasses import replace

from launch.bag import BagWriter
from launch.cli.say import progress, result
from launch.config import load_config, to_yaml
from launch.interruption import Interruption
from launch.recorder import Recorder
from launch.recording import CONFIG
from launch.schedulers.wall import RunClock
from launch.session import new_run_dir
from launch.sources import open_source
from perception.source import Source


def execute(options: argparse.Namespace) -> int:
    """Run the command: until the streams end, `--frames` of each camera are there, or it is interrupted."""
    config = load_config(options.config, options.assignments)
    run_dir = new_run_dir(options.out, config.name)
    clock = RunClock()
    with ExitStack() as stack:
        sources: list[Source] = []
        for camera in config.rig.cameras:
            sources.append(open_source(camera, clock))
            stack.callback(sources[-1].close)
        writer = BagWriter(run_dir, compression=config.record.compression, epoch_offset_ns=time.time_ns() - clock())
        recording = Recording(Recorder(writer, blocking=True), options.frames)
        recording.recorder.text(CONFIG, to_yaml(config), 0)
        counts = recording.run(sources)
    (run_dir / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
    if options.json:
        result({"run_dir": str(run_dir), "frames": sum(counts.values()), "cameras": counts})
    else:
        progress(f"{sum(counts.values())} frames in {run_dir}")
    return 0


class Recording:
    """Cameras read on a thread each, so that a slow one does not hold up the others.

    Args:
        recorder: Where frames go; it is closed at the end.
        frames: Frames of each camera after which to stop; None for no limit.
    """

    def __init__(self, recorder: Recorder, frames: int | None) -> None:
        self.recorder = recorder
        self._frames = frames
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._counts: dict[str, int] = {}

    def run(self, sources: list[Source]) -> dict[str, int]:
        """Record until all streams end; returns the frames of each camera.

        Raises:
            Exception: What a camera or the recorder raised first; what was recorded until then is kept.
        """
        self._counts = dict.fromkeys((source.name for source in sources), 0)
        threads = [threading.Thread(target=self._read, args=(source,), daemon=True) for source in sources]
        try:
            with Interruption() as interruption:
                for thread in threads:
                    thread.start()
                while any(thread.is_alive() for thread in threads):
                    threads[0].join(0.05)
                    for thread in threads[1:]:
                        thread.join(0.01)
                    if interruption.requested and not self._stop.is_set():
                        progress("interrupted: closing the bag")
                        self._stop.set()
        finally:
            self.recorder.close()
        if self._error is not None:
            raise self._error
        return dict(self._counts)

    def _read(self, source: Source) -> None:
        try:
            while not self._stop.is_set() and (frame := source.read()) is not None:
                received_ns = max(frame.received_ns, frame.stamp_ns)
                self.recorder.frame(replace(frame, received_ns=received_ns), received_ns)
                self._counts[source.name] += 1
                if self._frames is not None and self._counts[source.name] >= self._frames:
                    return
        except BaseException as error:
            self._error = self._error or error
            self._stop.set()
