"""NVIDIA's own Python modules out of PyPI, unpacked into a cache, and stubs for what they load."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

REQUIRE = "EYEHAND_REQUIRE_TENSORRT"
LIMIT_S = 300
OURS = ("createInfer", "createNvOnnx", "getBuilder", "getPlugin", "getNvOnnx", "initLib", "getInfer")

_failed: dict[str, str] = {}


def cannot(reason: str) -> NoReturn:
    """Skip, or fail where the check may not be skipped."""
    if os.environ.get(REQUIRE):
        pytest.fail(f"{reason} ({REQUIRE} is set)")
    pytest.skip(reason)


def unpacked(*requirements: str, size_mb: int = 0) -> Path:
    """Folder with the named packages of PyPI, without what they depend on.

    They are downloaded once for each Python, into `$XDG_CACHE_HOME/eyehand/contract`, and are no part of the
    environment that runs the tests.

    Args:
        requirements: Exact versions, such as `tensorrt-cu12-bindings==10.3.0`.
        size_mb: What a first time would download, if that is more than a test may take unasked [MB].
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        cannot(f"{requirements[0]} is looked at on Linux on x86-64, this is {sys.platform} on {platform.machine()}")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "eyehand" / "contract"
    name = re.sub(r"[^A-Za-z0-9.=-]+", "-", "+".join(requirements))
    folder = home / f"cp{sys.version_info.major}{sys.version_info.minor}" / name
    if folder.is_dir():
        return folder
    if size_mb and not os.environ.get(REQUIRE):
        pytest.skip(f"it would download {size_mb} MB: set {REQUIRE}=1")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
    try:
        _run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
             "--no-deps", "--no-compile", "--no-cache-dir", "--only-binary=:all:", "--retries", "2", "--target",
             str(part), *requirements],
            f"{' '.join(requirements)} cannot be had from PyPI",
        )  # fmt: skip
        try:
            part.rename(folder)
        except OSError:  # another process was first
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def stubs(module: Path, folder: Path) -> list[Path]:
    """Libraries without content that stand for those of NVIDIA that a native module loads.

    Each function that the module takes from them is there and gives a null pointer, which is what NVIDIA's give where
    they cannot work.

    Args:
        module: The native module.
        folder: Where to make them.

    Returns:
        The libraries, in the order in which they can be loaded.
    """
    for tool in ("gcc", "nm", "readelf"):
        if shutil.which(tool) is None:
            cannot(f"no {tool}: apt-get install gcc binutils")
    wanted = _run(["nm", "-D", "--undefined-only", str(module)], "nm cannot read it").split()
    functions = sorted({word for word in wanted if word.startswith(OURS)})
    dynamic = _run(["readelf", "-d", str(module)], "readelf cannot read it")
    libraries = re.findall(r"NEEDED.*\[(libnv\w+\.so\.\d+)\]", dynamic)
    assert functions
    assert libraries
    made = []
    for library in sorted(libraries, key=len):  # libnvinfer first, which has the functions
        source = folder / f"{library}.c"
        own = functions if library.startswith("libnvinfer.so") else []
        source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in own) or "typedef int empty;\n")
        target = folder / library
        _run(["gcc", "-shared", "-fPIC", f"-Wl,-soname,{library}", "-o", str(target), str(source)], "gcc failed")
        made.append(target)
    return made


def _run(command: Sequence[str], problem: str) -> str:
    if problem in _failed:  # each test asks again
        cannot(_failed[problem])
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        cannot(_failed.setdefault(problem, f"{problem}: no answer within {LIMIT_S} s"))
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line and not line.startswith("WARNING")]
        cannot(_failed.setdefault(problem, f"{problem}: {(lines or ['it says nothing'])[-1]}"))
    return done.stdout
