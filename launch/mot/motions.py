"""Where the motion of the camera between the frames of a sequence comes from: a file, or its pictures."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array, Image
from launch.mot.sequence import MotSequence, Say
from perception.camera_motion import CameraMotionEstimator
from perception.sources.image_files import SUFFIXES, find_files, read_color
from perception.sources.opencv_files import Video
from tracking.camera_motion import CLEARLY, CameraMotions, agreement, numbering, read_motions


class Motions(Protocol):
    """The motion to each frame from the one before; frames are asked for in their order."""

    @property
    def fps(self) -> float | None:
        """Frames a second, if this knows."""

    def at(self, frame: int, boxes: Array) -> Array | None:
        """Motion to a frame, in which `boxes` (M, 4) were detected [px]; None if there is none."""

    def value(self) -> dict[str, Any]:
        """What it was made of, for JSON."""


class StillCamera:
    """No motion at all."""

    fps = None

    def at(self, frame: int, boxes: Array) -> None:  # noqa: ARG002 - as Motions has it
        """No motion."""
        return

    def value(self) -> dict[str, Any]:
        """Nothing."""
        return {"from": None}


class FileMotions:
    """Motions out of a file, in the numbering of the detections.

    Args:
        path: The file.
        sequence: The detections.
        say: Takes what people should know.

    Raises:
        BadInput: If the file cannot be used, or has a motion for none of the frames.
    """

    fps = None

    def __init__(self, path: Path, sequence: MotSequence, say: Say) -> None:
        self._path = path
        read = read_motions(path)
        frames, boxes = sequence.by_frame()
        self._offset = numbering(read, frames.tolist(), boxes)
        self._motions: CameraMotions = read.renumbered(self._offset)
        wanted = np.arange(sequence.first + 1, sequence.last + 1)
        self._lacking = int(len(wanted) - np.isin(wanted, self._motions.frames).sum())
        if len(wanted) and self._lacking == len(wanted):
            raise BadInput(
                f"{path}: frames {read.frames[0]}..{read.frames[-1]}, none of which is of the detections' "
                f"{sequence.first}..{sequence.last}; is it the file of another sequence?"
            )
        how = {0: "as the detections do", 1: "one less than the detections", -1: "one more than the detections"}
        say(f"{path}: counts frames {how[self._offset]}")
        if self._lacking:
            say(f"{path}: no motion for {self._lacking} of {len(wanted)} frames: taken as a still camera")
        with_motion, without = agreement(self._motions, frames.tolist(), boxes), agreement(None, frames.tolist(), boxes)
        if without > with_motion + CLEARLY:
            say(
                f"{path}: boxes overlap less with those of the frame before when these motions are applied "
                f"({with_motion:.2f}) than when not ({without:.2f}); they should map the previous frame's pixels to "
                "this frame's: are they of this sequence, and not the other way round?"
            )

    def at(self, frame: int, boxes: Array) -> Array | None:  # noqa: ARG002 - as Motions has it
        """Motion to a frame, shape (3, 3); None if the file has none."""
        return self._motions.at(frame)

    def value(self) -> dict[str, Any]:
        """The file, what is added to its numbers, and how many frames it lacks."""
        return {"from": str(self._path), "frame_offset": self._offset, "frames_without": self._lacking}


class PictureMotions:
    """Motions measured from the pictures of a sequence.

    Args:
        path: Folder of pictures, or a video. The numbers in the pictures' names are their frames; where they do not fit
            the detections, and for a video, the first picture is the first frame: 0 if the detections have a frame 0,
            else 1.
        sequence: The detections.
        say: Takes what people should know.

    Raises:
        BadInput: If there are no pictures, or too few.
    """

    def __init__(self, path: Path, sequence: MotSequence, say: Say) -> None:
        self._path, self._sequence, self._say = path, sequence, say
        self._estimator = CameraMotionEstimator()
        self._pictures: Folder | VideoFrames = (
            Folder(path, sequence) if path.is_dir() else VideoFrames(path, min(sequence.first, 1))
        )
        self._measured, self._asked = 0, 0
        self._reason = ""
        self._estimate_ns: list[int] = []

    @property
    def fps(self) -> float | None:
        """Frames a second of a video; None for pictures."""
        return self._pictures.fps

    def at(self, frame: int, boxes: Array) -> Array | None:
        """Motion to a frame, shape (2, 3); None if it could not be measured."""
        picture = self._pictures.read(frame)
        if frame == self._sequence.first:
            self._compare(boxes, picture)
        begin = time.perf_counter_ns()
        motion = self._estimator.estimate(picture, boxes)
        self._estimate_ns.append(time.perf_counter_ns() - begin)
        if frame == self._sequence.first:
            return None
        self._asked += 1
        self._measured += self._estimator.quality.ok
        if not self._estimator.quality.ok:
            self._reason = self._reason or f"frame {frame}: {self._estimator.quality.reason}"
            return None
        return motion

    def value(self) -> dict[str, Any]:
        """The pictures, in how many frames the motion was measured, and how long that took."""
        value: dict[str, Any] = {
            "from": str(self._path),
            "frames_measured": self._measured,
            "frames_without": self._asked - self._measured,
        }
        if self._reason:
            value["reason"] = self._reason
        if self._estimate_ns:
            value["estimate_ms"] = milliseconds(self._estimate_ns)
        return value

    def _compare(self, boxes: Array, picture: Image) -> None:
        centres = 0.5 * (boxes[:, :2] + boxes[:, 2:])
        outside = np.any((centres < 0) | (centres > picture.shape[1::-1]), axis=1)
        if 2 * np.count_nonzero(outside) > len(boxes):
            self._say(
                f"{self._path}: {np.count_nonzero(outside)} of {len(boxes)} boxes of the first frame lie outside its "
                f"{picture.shape[1]}x{picture.shape[0]} px; are the pictures of the size that was detected in?"
            )


class Folder:
    """Pictures in files, by the number of the frame."""

    fps = None

    def __init__(self, path: Path, sequence: MotSequence) -> None:
        files = find_files(str(path), "pictures")
        named = {int(found[-1]): file for file in files if (found := re.findall(r"\d+", file.stem))}
        wanted = range(sequence.first, sequence.last + 1)
        # Pictures from 0 on beside detections from 1 on are the same frames, counted differently.
        if len(named) == len(files) and set(wanted) <= named.keys() and not (0 in named and sequence.first > 0):
            self._files = named
        else:
            self._files = dict(enumerate(files, start=min(sequence.first, 1)))
        if wanted and wanted[-1] not in self._files:
            raise BadInput(
                f"{path}: {len(files)} pictures, {files[0].name} to {files[-1].name}; expected one for each frame "
                f"{wanted[0]}..{wanted[-1]} of the detections"
            )

    def read(self, frame: int) -> Image:
        """The picture of a frame."""
        return read_color(self._files[frame])


class VideoFrames:
    """Frames of a video file, in their order."""

    def __init__(self, path: Path, first: int) -> None:
        if not path.is_file():
            raise BadInput(f"pictures {str(path)!r}: no such file or folder; expected a video or a folder of pictures")
        if path.suffix.lower() in SUFFIXES:
            raise BadInput(f"{path}: one picture; expected a video or a folder of pictures")
        self._path, self._next = path, first
        self._video = Video(str(path))
        self.fps: float | None = self._video.fps

    def read(self, frame: int) -> Image:
        """The picture of a frame; those before it are passed over.

        Raises:
            BadInput: If the video ends before it.
        """
        while True:
            found = self._video.next()
            if found is None:
                raise BadInput(
                    f"{self._path}: ends before frame {self._next}, but there are detections in later ones; is it the "
                    "video of this sequence?"
                )
            self._next += 1
            if self._next > frame:
                return found[0]


def milliseconds(durations_ns: list[int]) -> dict[str, float | int | None]:
    """Number, median and 99th percentile of durations [ms]."""
    times = np.array(durations_ns) * 1e-6
    if not len(times):
        return {"n": 0, "p50": None, "p99": None}
    return {
        "n": len(times),
        "p50": round(float(np.percentile(times, 50)), 4),
        "p99": round(float(np.percentile(times, 99)), 4),
    }
