"""Builds ONNX graphs with TensorRT-RTX through our own builder; a process of its own, `rtx_build.py SITE FILE...`.

TensorRT-RTX has TensorRT's parser and strongly typed builder, and both work without a GPU. One line of JSON for each
graph: `{"ok": true, "bytes": N, "seconds": S}` or `{"ok": false, "reason": "..."}`.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from deploy.errors import EyehandError
from deploy.tensorrt import api, build
from deploy.tensorrt.cuda import Device
from deploy.tensorrt.machine import Machine, make_log

LIBRARIES = ("libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1")


def load(site: Path) -> Any:
    """The module, with its libraries, which lie in another package."""
    for name in LIBRARIES:
        (library,) = site.glob(f"onnxruntime_ep_nv_tensorrt_rtx/{name}*")
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    sys.path.insert(0, str(site))
    return importlib.import_module("tensorrt_rtx_bindings")


def build_one(machine: Machine, graph: Path, folder: Path) -> dict[str, Any]:
    """Build a graph as `eyehand build` does."""
    started = time.perf_counter()
    log = make_log(machine.trt)
    try:
        content, _ = build._build(machine, log, graph, graph.read_bytes(), 512, folder / "cache.timing")
    except EyehandError as error:
        return {"ok": False, "reason": str(error)}
    return {"ok": True, "bytes": len(content), "seconds": round(time.perf_counter() - started, 2)}


if __name__ == "__main__":
    trt = load(Path(sys.argv[1]))
    assert api.absent(trt, (*api.RUN, *api.BUILD)) == []
    nowhere: Any = None
    machine = Machine(trt, trt.__version__, nowhere, Device("no GPU", "0.0", False, False, "0.0"))
    with tempfile.TemporaryDirectory() as folder:
        for path in sys.argv[2:]:
            print(json.dumps(build_one(machine, Path(path), Path(folder))), flush=True)
