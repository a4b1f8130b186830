"""Timings of kernels, kept between builds: a file for each version of TensorRT and each GPU."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.tensorrt.machine import Machine


def default_path(machine: Machine) -> Path:
    """In the user's cache folder, `$XDG_CACHE_HOME/eyehand`, named after version and GPU."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "eyehand"
    gpu = re.sub(r"[^A-Za-z0-9]+", "-", machine.device.name).strip("-")
    return folder / f"tensorrt-{machine.version}-{gpu}-sm{machine.device.sm}.timing"


def attach(config: Any, path: Path, complaints: Sequence[str]) -> str:
    """Give a builder the timings of earlier builds.

    Args:
        config: The builder's configuration.
        path: The file; it need not be there.
        complaints: What TensorRT has logged so far: of timings that it cannot read it makes an empty cache, and says so
            there alone.

    Returns:
        What was done, for the report. A file of another version or GPU is left unused, and is replaced after the build.
    """
    content = path.read_bytes() if path.is_file() else b""
    if content:
        before = len(complaints)
        cache = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, False) and len(complaints) == before:
            return f"{len(content)} bytes of timings from {path}"
    config.set_timing_cache(config.create_timing_cache(b""), False)
    return f"timings in {path} are of another machine: measured again" if content else f"no timings in {path} yet"


def keep(config: Any, path: Path) -> None:
    """Write the timings of a build, earlier ones included."""
    cache = config.get_timing_cache()
    if cache is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        part.write_bytes(bytes(cache.serialize()))
        part.replace(path)
