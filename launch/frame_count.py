"""Counting frames: those that arrived, and those that never came or that a newer one overtook."""

from __future__ import annotations


class FrameCount:
    """Follows the frames of all cameras by their numbers."""

    def __init__(self) -> None:
        self.arrived = 0
        self._dropped = 0
        self._unused: dict[int, list[int]] = {}
        self._newest: dict[int, int] = {}

    def arrive(self, camera: int, sequence: int) -> None:
        """A frame came. A gap in the numbers tells of frames that never did."""
        self.arrived += 1
        newest = self._newest.get(camera)
        if newest is not None and sequence > newest + 1:
            self._dropped += sequence - newest - 1
        self._newest[camera] = sequence
        unused = self._unused.setdefault(camera, [])
        unused.append(sequence)
        if len(unused) > 64:  # nobody takes them any more; all but the newest were overtaken
            self._dropped += len(unused) - 1
            del unused[:-1]

    def use(self, camera: int, sequence: int) -> None:
        """A frame is worked on. One that comes before it, and was not used itself, was dropped."""
        unused = self._unused.get(camera, [])
        self._dropped += sum(number < sequence for number in unused)
        self._unused[camera] = [number for number in unused if number > sequence]

    def begin(self) -> None:
        """An episode begins: numbers may jump."""
        self._dropped = self.dropped
        self._unused.clear()
        self._newest.clear()

    @property
    def dropped(self) -> int:
        """Frames that never came, and frames that a newer one overtook; the newest at an end was not overtaken."""
        return self._dropped + sum(max(0, len(unused) - 1) for unused in self._unused.values())
