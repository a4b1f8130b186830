"""What we use of TensorRT and CUDA, held against NVIDIA's own Python modules of each version that we claim.

The modules are those of PyPI. TensorRT's load against stub libraries, so their classes, enumerations and documented
signatures are there and nothing can be computed.
"""

from __future__ import annotations

import ast
import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from deploy.tensorrt import api, engine
from tests.deploy.tensorrt import contract_probe, contract_source
from tests.deploy.tensorrt.contract_source import Call, Used
from tests.deploy.tensorrt.contract_wheels import stubs, unpacked

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "deploy" / "tensorrt"
TENSORRT = {  # JetPack 6.2; JetPack 7.2; the newest
    "10.3.0": "tensorrt-cu12-bindings",
    "10.16.1.11": "tensorrt-cu13-bindings",
    "11.4.0.106": "tensorrt-cu13-bindings",
}
PATHFINDER = "cuda-pathfinder==1.5.0"
CUDA = {  # 12.6.2 is the first that has cuda.bindings
    "12.6": ("cuda-python==12.6.2.post1",),
    "13": ("cuda-bindings==13.4.4", PATHFINDER),
}
STRONGLY_TYPED = {"10.3.0": 1, "10.16.1.11": 1, "11.4.0.106": 0}  # its bit moved when EXPLICIT_BATCH went
REMOVED = (
    "BuilderFlag.FP16",
    "BuilderFlag.INT8",
    "BuilderFlag.OBEY_PRECISION_CONSTRAINTS",
    "IBuilderConfig.int8_calibrator",
    "IInt8EntropyCalibrator2",
    "ILayer.precision",
    "NetworkDefinitionCreationFlag.EXPLICIT_BATCH",
    "OnnxParser.supports_model",
)
# Names that TensorRT has too, on things of ours, of numpy and of onnx whose type the scan cannot tell.
OTHERS = {
    "FLOAT16", "INT8", "append", "dtype", "format", "int64", "itemsize", "kind", "metadata", "name", "nbytes", "node",
    "precision", "read", "shape", "tactic", "uint8", "warnings", "weights",
}  # fmt: skip


@functools.cache
def tensorrt(version: str) -> dict[str, Any]:
    """What a version offers."""
    with tempfile.TemporaryDirectory() as folder:
        site, libraries = load(version, Path(folder))
        return probe("tensorrt_bindings", (site,), libraries)


@functools.cache
def cuda(version: str) -> dict[str, Any]:
    return probe("cuda.bindings.runtime", [unpacked(name) for name in CUDA[version]])


def load(version: str, folder: Path) -> tuple[Path, list[Path]]:
    site = unpacked(f"{TENSORRT[version]}=={version}")
    return site, stubs(site / "tensorrt_bindings" / "tensorrt.so", folder)


def probe(module: str, sites: Sequence[Path], libraries: Sequence[Path] = ()) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run([contract_probe.__file__, module, *map(str, libraries)], sites))
    return found


def run(arguments: Sequence[str], sites: Sequence[Path]) -> str:
    """The output of a Python of its own."""
    paths = os.pathsep.join(map(str, sites))
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": paths, "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def used() -> Used:
    return contract_source.scan(contract_source.read(SOURCE), tensorrt("10.3.0"))


def leaves(paths: set[str]) -> set[str]:
    """Without the classes on the way to what is used, and what each class of Python has."""
    return {
        path for path in paths if not path.endswith("__") and not any(one.startswith(path + ".") for one in listed())
    }


def listed() -> set[str]:
    return {*api.RUN, *api.BUILD, *api.CUDA}


def misfits(calls: set[Call], offered: dict[str, Any]) -> list[str]:
    """Calls that no documented signature takes."""
    bad = []
    for call in calls:
        path = call.path if "signatures" in offered[call.path] else f"{call.path}.__init__"
        if not any(fits(call, signature["arguments"]) for signature in offered[path].get("signatures", [])):
            bad.append(f"{call.where} {call.path}: {call.positional} {call.keywords} for {offered[path]}")
    return bad


def fits(call: Call, arguments: list[str]) -> bool:
    bound = arguments[:1] and arguments[0].startswith("self") and not call.path.endswith("__init__")
    taken = arguments[1:] if bound else arguments
    names = [argument.partition(":")[0].partition("=")[0].split()[-1] for argument in taken]
    needed = {name for name, argument in zip(names, taken, strict=True) if "=" not in argument}
    given = [*names[: call.positional], *call.keywords]
    return call.positional <= len(names) and set(given) <= set(names) and needed <= set(given) and "**" not in given


# ------------------------------------------------------------------------------------------------------------- TensorRT


@pytest.mark.parametrize("version", TENSORRT)
def test_each_version_has_every_name(version: str) -> None:
    offered = tensorrt(version)
    wanted = {*api.RUN, *api.BUILD}
    assert sorted(wanted - offered.keys()) == []
    assert offered["NetworkDefinitionCreationFlag.STRONGLY_TYPED"]["number"] == STRONGLY_TYPED[version]


@pytest.mark.parametrize("version", TENSORRT)
def test_each_version_takes_our_calls(version: str) -> None:
    calls = used().calls["tensorrt"]
    assert len(calls) > 25
    assert misfits(calls, tensorrt(version)) == []


def test_what_the_newest_removed_is_not_used() -> None:
    old, new = tensorrt("10.3.0"), tensorrt("11.4.0.106")
    assert [name for name in REMOVED if name not in old or name in new] == []
    gone = old.keys() - new.keys()
    assert sorted(used().paths["tensorrt"] & gone) == []


def test_nothing_is_used_that_is_not_listed() -> None:
    assert sorted(leaves(used().paths["tensorrt"]) - listed()) == []
    assert sorted(leaves(used().paths["cuda"]) - set(api.CUDA)) == []


def test_nothing_is_listed_that_is_not_used() -> None:
    by_name = {f"DataType.{name}" for name in engine._DTYPES} | {"__version__"}
    rest = {"TensorIOMode.OUTPUT"}  # what is not INPUT
    used_names = used().paths["tensorrt"] | used().paths["cuda"]
    assert sorted(listed() - used_names - by_name - rest) == []


def test_what_is_asked_for_by_a_name_that_is_computed_is_known() -> None:
    assert used().dynamic == {"machine.py: getattr(machine.trt, kind)", "engine.py: getattr(trt.DataType, name)"}
    assert {f"DataType.{name}" for name in engine._DTYPES} <= set(api.RUN)


def test_attributes_that_cannot_be_followed_are_not_those_of_tensorrt() -> None:
    """What the scan loses sight of may not have a name that any version of TensorRT knows."""
    members = {name.rpartition(".")[2] for version in TENSORRT for name in tensorrt(version)}
    lost = {
        name: sorted(where)
        for name, where in used().unknown.items()
        if name in members - OTHERS and not name.startswith("__")
    }
    assert lost == {}


def test_the_modules_are_imported_in_one_place_each() -> None:
    """The scan starts from the names `trt` and `rt`, so no other way may lead to them."""
    found = []
    for name, text in contract_source.read(SOURCE, leave_out=()).items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                assert not any(part.split(".")[0] in ("tensorrt", "cuda") for part in names), (name, names)
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                found.append(f"{name}: {ast.unparse(node.args[0])}")
    assert sorted(found) == ["cuda.py: 'cuda.bindings.runtime'", "machine.py: 'tensorrt'"]


@pytest.mark.parametrize(
    ("name", "old", "new", "path"),
    [
        ("build.py", "config.profiling_verbosity =", "config.int8_calibrator =", "IBuilderConfig.int8_calibrator"),
        ("build.py", "parser.parse(", "parser.supports_model(", "OnnxParser.supports_model"),
        ("build.py", "MemoryPoolType.WORKSPACE", "MemoryPoolType.DLA_LOCAL_DRAM", "MemoryPoolType.DLA_LOCAL_DRAM"),
        ("timing_cache.py", "config.get_timing_cache()", "config.reset()", "IBuilderConfig.reset"),
        ("engine.py", "engine.get_tensor_name(", "engine.get_binding_name(", "ICudaEngine.get_binding_name"),
        ("backend.py", "_context.execute_async_v3(", "_context.execute_v2(", "IExecutionContext.execute_v2"),
        ("machine.py", "trt.ILogger.Severity.WARNING", "trt.ILogger.Severity.INFO", "ILogger.Severity.INFO"),
    ],
)
def test_another_name_in_the_source_is_found(name: str, old: str, new: str, path: str) -> None:
    files = contract_source.read(SOURCE)
    assert old in files[name]
    found = contract_source.scan({**files, name: files[name].replace(old, new)}, tensorrt("10.3.0"))
    assert path in found.paths["tensorrt"] - {*api.RUN, *api.BUILD}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace_mb << 20)", "set_memory_pool_limit(1)"),
        ("build_serialized_network(network, config)", "build_serialized_network(network, config, flags=1)"),
        ('make(machine, "OnnxParser", network, log)', 'make(machine, "OnnxParser", log)'),
    ],
)
def test_a_call_with_other_arguments_is_found(old: str, new: str) -> None:
    files = contract_source.read(SOURCE)
    assert old in files["build.py"]
    found = contract_source.scan({**files, "build.py": files["build.py"].replace(old, new)}, tensorrt("10.3.0"))
    assert len(misfits(found.calls["tensorrt"], tensorrt("10.3.0"))) == 1


LOG_AND_MAKE = """
import ctypes, sys
for path in sys.argv[1:]:
    ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
import tensorrt_bindings
sys.modules["tensorrt"] = tensorrt_bindings
from deploy.errors import Missing
from deploy.tensorrt import api, machine
from deploy.tensorrt.cuda import Device
assert api.absent(tensorrt_bindings, (*api.RUN, *api.BUILD)) == []
log = machine.make_log(tensorrt_bindings)
severity = tensorrt_bindings.ILogger.Severity
for kind in (severity.VERBOSE, severity.INFO, severity.WARNING, severity.ERROR):
    log.log(kind, "says " + kind.name)
print(log.lines, log.reason())
device = Device("a GPU", "8.7", True, True, "12.6")
here = machine.Machine(tensorrt_bindings, tensorrt_bindings.__version__, None, device)
for kind in ("Builder", "Runtime"):
    try:
        machine.make(here, kind, log)
    except Missing as error:
        print(error)
"""


@pytest.mark.parametrize("version", TENSORRT)
def test_the_log_and_a_library_that_gives_nothing(version: str, tmp_path: Path) -> None:
    """A real logger takes our subclass, and a library that makes no builder is one sentence."""
    site, libraries = load(version, tmp_path)
    lines = run(["-c", LOG_AND_MAKE, *map(str, libraries)], (site, ROOT)).splitlines()
    assert lines[0] == "['says WARNING', 'says ERROR'] says ERROR"
    for line, kind in zip(lines[1:], ("Builder", "Runtime"), strict=True):
        assert line.startswith(f"TensorRT {version} makes no {kind} on a GPU (")
        assert "nullptr" in line


# ----------------------------------------------------------------------------------------------------------------- CUDA


@pytest.mark.parametrize("version", CUDA)
def test_cuda_has_every_name_and_takes_our_calls(version: str) -> None:
    offered = cuda(version)
    assert sorted(set(api.CUDA) - offered.keys()) == []
    assert "cudaDeviceProp.name" in offered
    calls = used().calls["cuda"]
    assert len(calls) > 15
    assert misfits(calls, offered) == []


NO_GPU = """
from deploy.errors import Missing
from deploy.tensorrt.cuda import load_cuda
try:
    print("a GPU:", load_cuda().device())
except Missing as error:
    print("missing:", error)
"""


@pytest.mark.parametrize("version", CUDA)
def test_a_machine_without_a_gpu_is_one_sentence(version: str) -> None:
    """The real run time looks for the driver; it is not there, or has no GPU to give."""
    line = run(["-c", NO_GPU], (*(unpacked(name) for name in CUDA[version]), ROOT)).strip()
    assert line.startswith("missing: no NVIDIA GPU can be used here (")
    assert "\n" not in line
