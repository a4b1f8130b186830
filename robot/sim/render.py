"""What a renderer is, and the choice of one that this machine can run."""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput, Missing
from geometry.types import Image
from robot.sim.layout import CAMERA_NAME
from robot.sim.picture_size import FULL_SIZE, Size

if TYPE_CHECKING:
    from robot.sim.snapshot import Snapshot

RendererName = Literal["auto", "egl", "raycast"]
DepthMetres = npt.NDArray[np.float32]
GeomIds = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """One rendered view.

    Attributes:
        color: Shape (H, W, 3), BGR.
        depth_m: Shape (H, W), distance along the optical axis [m]; infinite where nothing was hit.
        geom_ids: Shape (H, W), MuJoCo geom id of what a pixel shows, -1 for the sky; None if it was not asked for.
    """

    color: Image
    depth_m: DepthMetres
    geom_ids: GeomIds | None


class Renderer(Protocol):
    """Turns a snapshot of the world into images. Any thread may call it, one at a time."""

    @property
    def name(self) -> str:
        """Either `egl` or `raycast`."""
        ...

    @property
    def reason(self) -> str:
        """Why this renderer was chosen."""
        ...

    def render(
        self,
        snapshot: Snapshot,
        camera: str = CAMERA_NAME,
        *,
        segmentation: bool = False,
        size_px: Size = FULL_SIZE,
    ) -> Rendering:
        """Render the view of one camera, as a picture of this width and height."""
        ...

    def close(self) -> None:
        """Free what the renderer holds. Safe to call twice."""
        ...


def make_renderer(name: RendererName = "auto", threads: int = 1) -> Renderer:
    """Build a renderer.

    Args:
        name: `egl`, `raycast`, or `auto`: EGL if it renders a frame on this machine, ray casting otherwise.
        threads: Threads that the ray caster may use.

    Raises:
        BadInput: If the name is not known.
        Missing: If `egl` was asked for and does not work here, with the reason.
    """
    if name not in ("auto", "egl", "raycast"):
        raise BadInput(f"renderer {name!r}: expected auto, egl or raycast")
    if name == "raycast":
        return _raycast(threads, "asked for")
    problem = egl_problem()
    if problem is None:
        from robot.sim.render_egl import EglRenderer

        return EglRenderer(reason="asked for" if name == "egl" else "EGL rendered a frame")
    if name == "egl":
        raise Missing(f"EGL cannot render here ({problem}): install libegl1 libgl1 libgl1-mesa-dri, or use raycast")
    return _raycast(threads, f"EGL cannot render here: {problem}")


def _raycast(threads: int, reason: str) -> Renderer:
    from robot.sim.render_ray import RayRenderer

    return RayRenderer(threads=threads, reason=reason)


_PROBE = """
from robot.sim.render_egl import EglRenderer
from robot.sim.world import World
r = EglRenderer(reason="probe")
image = r.render(World(seed=0).snapshot()).color
r.close()
assert image.max() > image.min(), "the probe image is of one colour"
print("eyehand-egl-ok")
"""


@functools.cache
def egl_problem() -> str | None:
    """Render one frame through EGL in a process of its own.

    A driver that is absent raises while it is imported, and a broken one can end the process: neither may reach the
    caller.

    Returns:
        None if EGL works, otherwise what went wrong in one line.
    """
    if os.environ.get("EYEHAND_NO_EGL"):
        return "EYEHAND_NO_EGL is set"
    try:
        ctypes.CDLL("libEGL.so.1")
    except OSError:
        return "libEGL.so.1 is not installed"
    command = [sys.executable, "-c", _PROBE]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    environment = {**os.environ, "PYTHONPATH": path}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the probe did not finish: {error}"
    if done.returncode == 0 and "eyehand-egl-ok" in done.stdout:
        return None
    lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"the probe process ended with status {done.returncode}"
