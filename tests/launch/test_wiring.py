"""What a configuration names is checked before anything is opened: one line with the key, what is there, the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mujoco", reason="the simulator's extra is not installed: pip install '.[sim]'")
pytest.importorskip("onnxruntime", reason="no inference engine is installed: pip install '.[cpu]'")

from deploy.errors import BadInput
from geometry import Camera
from launch import plugins
from launch.check import check
from launch.config import load_config
from launch.config.load import from_yaml
from launch.config.load import to_yaml as as_text
from launch.config.rig import CameraConfig
from launch.sim_cell import SimCell
from launch.sources import open_source, source_options
from launch.wiring import resolve

SIM = "sim_pick_place"
CAMERA = Camera(64, 48, 60.0, 60.0, 31.5, 23.5)
INTRINSICS = {"width": 64, "height": 48, "fx": 60.0, "fy": 60.0, "cx": 31.5, "cy": 23.5}


@pytest.mark.parametrize("name", [SIM, "perception"])
def test_packaged_configurations_pass(name: str) -> None:
    check(resolve(load_config(name)))


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["policy.type=nosuch"], "policy.type: policy 'nosuch' is not registered; installed: expert, learned"),
        (["detector.type=nosuch"], "detector.type: detector 'nosuch' is not registered; installed: network, yolo"),
        (["detector.backend=nosuch"], "detector.backend: backend 'nosuch' is not registered; installed: onnxruntime"),
        (["rig.arm.type=nosuch"], "rig.arm.type: arm 'nosuch' is not registered; installed: .*sim"),
        (["rig.arm.type=nosuch", "rig.cameras.0.source.type=odd"], r"rig.cameras.0.source.type: source 'odd' is not"),
        (["rig.cameras.0.source.type=opencv"], "simulated arm needs simulated cameras"),
        (["rig.cameras.0.source.type=nosuch"], "simulated arm needs simulated cameras"),
        (["rig.arm.options.foo=1"], "rig.arm.options.foo: sim takes no such option; it takes world, name"),
        (["rig.arm.options.world=1"], "rig.arm.options.world: is set by the simulated cell; leave it out"),
        (["rig.arm.options.rate_hz=10"], "rig.arm.options.rate_hz: is set by rig.arm.rate_hz; leave it out"),
        (["clock=wall", "rig.arm.heartbeat_ms=15"], "heartbeat_ns 15000000: expected at least two periods"),
        (["rig.cameras.0.source.options.foo=1"], "camera wrist: source.options.foo: sim takes no such option"),
        (["rig.cameras.0.source.options.name=x"], "source.options.name: is set by the camera's name in the rig"),
        (["rig.cameras.0.source.options.renderer=x"], "source.options.renderer: is set by the simulated cell"),
        (["rig.cameras.0.source.options.rate_hz=5"], "options.rate_hz: is set by the camera's rate_hz in the rig"),
        (["rig.cameras.0.latency_ms=5"], "camera wrist: latency_ms: source sim takes none"),
        (["policy.type=expert", "policy.options.speed=1"], "policy.options.speed: unknown to the expert"),
        (
            ["policy.type=expert", "policy.options.search_m=abc"],
            "policy.options.search_m: expected a list of items, each 3 numbers",
        ),
        (["policy.object_class=unicorn"], "policy.object_class: 'unicorn' is no class of model"),
    ],
)  # fmt: skip
def test_what_cannot_be_used(assignments: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        check(resolve(load_config(SIM, assignments)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("assignment", ["rig.arm.options.foo=1", "rig.cameras.0.source.options.foo=1"])
def test_the_cell_itself_refuses_them_too(assignment: str) -> None:
    with pytest.raises(BadInput, match="sim takes no such option"):
        SimCell(load_config(SIM, [assignment, "sim.renderer=raycast"]))


def test_nothing_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(name: str, path: str) -> None:
        raise AssertionError(f"{name} was opened on {path}")

    real = plugins.load
    monkeypatch.setattr(plugins, "load", lambda kind, *rest: opened if kind == "sources" else real(kind, *rest))
    check(resolve(load_config("perception")))


def plain(name: str, path: str = "") -> dict[str, Any]:
    return {"name": name, "path": path}


def keen(
    name: str, *, fps: int = 15, latency_s: float = 0.0, intrinsics: Camera | None = None, clock: Any = None
) -> dict[str, Any]:
    return {"name": name, "fps": fps, "latency_s": latency_s, "intrinsics": intrinsics, "clock": clock}


def camera(**fields: Any) -> CameraConfig:
    options = fields.pop("options", {})
    return CameraConfig.model_validate({"name": "a", "source": {"type": "own", "options": options}, **fields})


@pytest.mark.parametrize(
    ("factory", "fields", "expected"),
    [
        (plain, {}, {"name": "a"}),
        (plain, {"latency_ms": 0}, {"name": "a"}),
        (plain, {"options": {"path": "x"}}, {"name": "a", "path": "x"}),
        (keen, {}, {"name": "a", "clock": 1}),
        (keen, {"options": {"clock": 2}}, {"name": "a", "clock": 2}),
        (keen, {"rate_hz": 60}, {"name": "a", "clock": 1, "fps": 60}),
        (keen, {"latency_ms": 20}, {"name": "a", "clock": 1, "latency_s": 0.02}),
        (keen, {"intrinsics": INTRINSICS}, {"name": "a", "clock": 1, "intrinsics": CAMERA}),
    ],
)
def test_figures_of_the_rig_reach_the_source(factory: Any, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    options = source_options(camera(**fields), factory, clock=1)
    assert options == expected
    factory(**options)


@pytest.mark.parametrize(
    ("factory", "fields", "message"),
    [
        (plain, {"rate_hz": 30}, "camera a: rate_hz: source own takes none, it has its own"),
        (plain, {"latency_ms": 5}, "camera a: latency_ms: source own takes none"),
        (plain, {"intrinsics": INTRINSICS}, "camera a: intrinsics: source own takes none"),
        (keen, {"rate_hz": 30, "options": {"fps": 15}}, r"camera a: rate_hz: stands in source\.options\.fps too"),
        (keen, {"rate_hz": 29.97}, "camera a: rate_hz: source own takes whole numbers, found 29.97"),
    ],
)
def test_figures_of_the_rig_that_the_source_has_no_use_for(factory: Any, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        source_options(camera(**fields), factory)


def test_a_rate_that_nobody_chose_is_still_nobodys_in_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("name: a\nrig: {name: b, cameras: [{name: a, source: {type: recording, options: {path: x}}}]}\n")
    config = load_config(str(path))
    copy = from_yaml(as_text(config), "copy")
    assert copy == config
    assert copy.rig.cameras[0].rate_hz == 30.0
    check(resolve(copy))


def test_opening_passes_options_on(tmp_path: Path) -> None:
    recording = CameraConfig.model_validate(
        {"name": "a", "source": {"type": "recording", "options": {"path": str(tmp_path / "nowhere")}}}
    )
    with pytest.raises(BadInput, match="nowhere: no such file"):
        open_source(recording, lambda: 0)
    with pytest.raises(BadInput, match=r"recording cannot be made from these options: missing .* 'path'"):
        open_source(recording.model_copy(update={"source": recording.source.model_copy(update={"options": {}})}), int)
