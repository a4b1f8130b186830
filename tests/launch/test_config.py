"""Configuration: each mistake is one line with key, expected and found; what is right survives."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from deploy.errors import BadInput
from launch.config import Config, load_config, load_profile, resolve_file, to_yaml
from launch.config.budget import STAGES
from launch.config.load import PACKAGED, assign, from_yaml
from launch.ledger import Stage

SIM = "sim_pick_place"
PACKAGED_CONFIGS = sorted(path.stem for path in PACKAGED.glob("*.yaml"))


def error_of(*assignments: str, name: str = SIM) -> str:
    with pytest.raises(BadInput) as caught:
        load_config(name, assignments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


# ----------------------------------------------------------------------------------------------- sentences for mistakes


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        # unknown keys
        ("detector.confidnce=1", "--set detector.confidnce: unknown key; did you mean confidence?"),
        ("sim.rendrer=egl", "--set sim.rendrer: unknown key; did you mean renderer?"),
        ("rig.arm.foo=1", "--set rig.arm.foo: unknown key; known here: type, model, flange_T_gripper"),
        ("nonsense.x=3", "sim_pick_place.yaml with --set nonsense.x=3: nonsense: unknown key; known here: name, seed"),
        # the unit is part of the name
        ("rig.cameras.0.rate=3", "--set rig.cameras.0.rate: unknown key; did you mean rate_hz? mind the unit"),
        ("rig.cameras.0.latency_s=1", "rig.cameras.0.latency_s: unknown key; did you mean latency_ms? mind the unit"),
        ("budget.reaction_s=0.05", "--set budget.reaction_s: unknown key; did you mean reaction_ms? mind the unit"),
        ("localize.size_mm={red_cube: 40}", "--set localize.size_mm: unknown key; did you mean size_m? mind the unit"),
        # a number, and in which unit
        ("rig.cameras.0.rate_hz=30 Hz", "rig.cameras.0.rate_hz: expected a plain number in hertz, found '30 Hz'"),
        ("rig.cameras.0.latency_ms=5ms", "0.latency_ms: expected a plain number in milliseconds, found '5ms'"),
        ("rig.cameras.0.gripper_T_camera.translation_m=[0, 0, a]", "expected a plain number in metres, found 'a'"),
        ("task.timeout_s=soon", "task.timeout_s: expected a plain number in seconds, found 'soon'"),
        ("seed=1.5", "--set seed: expected a whole number, found 1.5"),
        ("seed=x", "--set seed: expected a whole number, found 'x'"),
        ("detector.confidence=.nan", "detector.confidence: expected a finite number, found nan"),
        ("budget.reaction_ms=.inf", "budget.reaction_ms: expected a finite number in milliseconds, found inf"),
        ("detector.confidence=yes", "detector.confidence: expected a value other than true or false, found true"),
        ("seed=on", "--set seed: expected a value other than true or false, found true"),
        # limits
        ("detector.confidence=2", "--set detector.confidence: expected <= 1, found 2"),
        ("detector.confidence=-0.1", "--set detector.confidence: expected >= 0, found -0.1"),
        ("rig.cameras.0.rate_hz=0", "--set rig.cameras.0.rate_hz: expected > 0 in hertz, found 0"),
        ("episodes=0", "--set episodes: expected >= 1, found 0"),
        ("budget.stages_ms.detect=0", "--set budget.stages_ms.detect: expected > 0 in milliseconds, found 0"),
        ("localize.size_m.red_cube=-1", "--set localize.size_m.red_cube: expected > 0 in metres, found -1"),
        # choices
        ("clock=wal", "--set clock: expected 'virtual' or 'wall', found 'wal'"),
        ("clock=", "--set clock: expected 'virtual' or 'wall', found nothing"),
        ("detector.threads=many", "--set detector.threads: expected a whole number or 'auto', found 'many'"),
        ("detector.threads=0", "--set detector.threads: expected >= 1 or 'auto', found 0"),
        ("rig.arm.model=ur10", "--set rig.arm.model: expected one of ur3e, ur5e, ur7e, ur10e"),
        ("rig.cameras.0.name=Wrist", "rig.cameras.0.name: expected text that matches ^[a-z][a-z0-9_]*$, found 'Wrist'"),
        ("budget.stages_ms.detct=3", "budget.stages_ms.detct: no such stage; there are capture, detect,"),
        ("profile.stages.fly={constant_ms: 3}", "profile.stages.fly: no such stage; there are capture, detect,"),
        ("profile.add_ms.fly=3", "--set profile.add_ms.fly: no such stage; there are capture, detect,"),
        # shapes
        ("name=5", "--set name: expected text, found 5"),
        ("detector=5", "--set detector: expected keys with values: type, model, backend,"),
        ("detector=", "--set detector: expected keys with values: type, model, backend,"),
        ("profile.stages.detect=3", "profile.stages.detect: expected keys with values: constant_ms, normal_ms, "),
        ("detector.confidence.x=3", "detector.confidence: expected a plain number, found keys with values"),
        ("rig.cameras=5", "--set rig.cameras: expected a list, found 5"),
        ("rig.cameras=[]", "--set rig.cameras: expected at least 1 value, found 0"),
        ("task.bin_in_base_m=[1, 2]", "--set task.bin_in_base_m: expected 3 values, found 2"),
        ("governor.max_velocity_rad_s=[1, 2, 3, 4, 5, 6, 7]", "max_velocity_rad_s: expected 6 values, found 7"),
        ("policy.options=[1]", "--set policy.options: expected keys with values, found a list of 1"),
        ("record.picture_strip=maybe", "--set record.picture_strip: expected true or false, found 'maybe'"),
        (f"name=[{'x, ' * 99}x]", "--set name: expected text, found a list of 100"),
        (f"clock={'x' * 500}", "found 'xxxxxxxxxx"),
        # sections that check themselves
        (
            "rig.cameras.0.gripper_T_camera.rotation_vector_rad=[90, 0, 0]",
            "rig.cameras.0.gripper_T_camera: rotation_vector_rad is longer than 2 pi: the unit is radians, not degrees",
        ),
        (
            "rig.cameras.0.gripper_T_camera={translation_m: [0, 0, 0], quaternion_xyzw: [0, 0, 1, 1]}",
            "quaternion_xyzw has norm 1.4142, expected 1",
        ),
        (
            "rig.cameras.0.gripper_T_camera.quaternion_xyzw=[0, 0, 0, 1]",
            "give quaternion_xyzw or rotation_vector_rad, not both",
        ),
        (
            "rig.cameras.0.base_T_camera={translation_m: [0, 0, 1]}",
            "camera wrist has both gripper_T_camera and base_T_camera: it sits in one place",
        ),
        (
            "rig.cameras.0.pose_sigma={translation_m: 0.002, rotation_rad: 2.0}",
            "rig.cameras.0.pose_sigma.rotation_rad: expected <= 1 in radians, found 2.0",
        ),
        (
            "rig.cameras=[{name: a, source: {type: sim}, pose_sigma: {translation_m: 0.002}}]",
            "camera a has pose_sigma but no pose: give gripper_T_camera or base_T_camera",
        ),
        ("rig.cameras.0.intrinsics={fx: 600}", "rig.cameras.0.intrinsics.width: missing (and 4 more)"),
        (
            "rig.cameras=[{name: a, source: {type: sim}}, {name: a, source: {type: sim}}]",
            "rig: cameras share a name: a, a",
        ),
        # a camera without a place would steer the arm
        (
            "rig.cameras=[{name: a, source: {type: sim}}]",
            "--set rig.cameras.0: camera a has no place and would steer the arm from nowhere; give gripper_T_camera",
        ),
        ("rig.cameras.0.gripper_T_camera=", "rig.cameras.0: camera wrist has no place"),
        (
            "rig.arm=",
            "sim_ur10e.yaml: rig.cameras.0.gripper_T_camera: camera wrist sits on a gripper but the rig has no arm",
        ),
        # the governor's limits
        ("governor.max_velocity_rad_s=[1, 1, 1, 1, 1, -1]", "max_velocity_rad_s.5: expected > 0 in rad/s, found -1"),
        ("governor.max_jerk_rad_s3.0=0", "governor.max_jerk_rad_s3: "),
        ("governor.stale_after_ms=0", "governor.stale_after_ms: expected > 0 in milliseconds, found 0"),
        (
            "governor.workspace_min_m=[-1, 1.3, 0]",
            "--set governor.workspace_min_m: y is 1.3, expected less than workspace_max_m, 1.2",
        ),
        ("budget.control_tick_ms=2", "budget.control_tick_ms: unknown key"),
        ("localize.require_depth=perhaps", "localize.require_depth: expected true or false, found 'perhaps'"),
        # latency profiles
        (
            "profile.stages.detect={}",
            "profile.stages.detect: expected one of constant_ms, normal_ms, lognormal_ms, empirical_ms, found none",
        ),
        (
            "profile.stages.detect.lognormal_ms={p50: 10, p99: 20}",
            "and lognormal_ms; replace the stage as a whole: --set 'profile.stages.detect={lognormal_ms: {p50:",
        ),
        (
            f"profile.stages.plan.empirical_ms=[{'1, ' * 30}2]",
            "replace the stage as a whole: --set 'profile.stages.plan={empirical_ms: ...}'",
        ),
        (
            "profile.stages.detect={lognormal_ms: {p50: 20, p99: 10}}",
            "--set profile.stages.detect.lognormal_ms.p99: 10 is less than p50, 20",
        ),
        (
            "profile.stages.detect={lognormal_ms: {p50: 20}}",
            "--set profile.stages.detect.lognormal_ms.p99: missing",
        ),
        (
            "profile.stages.detect={lognormal_ms: {p50: 0, p99: 10}}",
            "profile.stages.detect.lognormal_ms.p50: expected > 0 in milliseconds, found 0",
        ),
        (
            "profile.stages.detect={normal_ms: {mean: 20, sd: 0}}",
            "profile.stages.detect.normal_ms.sd: expected > 0 in milliseconds, found 0",
        ),
        (
            "profile.stages.detect={empirical_ms: [1, 3, 2]}",
            "--set profile.stages.detect.empirical_ms.2: 2 comes after 3; expected quantiles from the least",
        ),
        (
            "profile.stages.detect={empirical_ms: [5]}",
            "--set profile.stages.detect.empirical_ms: expected at least 2 values, found 1",
        ),
        ("profile.stages.detect.constant_ms=-1", "detect.constant_ms: expected >= 0 in milliseconds, found -1"),
        ("profile.stages.detect.constant_ms=60001", "constant_ms: expected <= 60000 in milliseconds, found 60001"),
        ("profile.stages.detect.source=5", "--set profile.stages.detect.source: expected text, found 5"),
        ("profile.stages.detect.constant_s=1", "unknown key; did you mean constant_ms? mind the unit"),
        # assignments themselves
        ("detector.confidence", "--set 'detector.confidence': expected key.path=value, for example"),
        ("=3", "--set '=3': expected key.path=value, for example"),
        ("a..b=3", "--set 'a..b=3': expected key.path=value, for example"),
        ("seed=[1", "--set 'seed=[1': the value is not valid YAML: line 1, column 3:"),
        ("task={timeout_s: 1, timeout_s: 2}", "not valid YAML: line 1, column 16: key 'timeout_s' stands twice"),
        ("rig.cameras.1.name=x", "expected an index below 1 after rig.cameras, found '1'"),
        ("rig.cameras.x=1", "expected an index below 1 after rig.cameras, found 'x'"),
        ("rig.cameras.-1.name=x", "expected an index below 1 after rig.cameras, found '-1'"),
        ("rig.cameras.².name=x", "expected an index below 1 after rig.cameras, found '²'"),
        ("rig.name.x=1", "rig.name is a value, it has no keys below it"),
        ("rig=nosuch", "rig 'nosuch' not found here or among the packaged ones: loopback_ur10e, recording, sim_ur10e"),
        ("budget=nosuch", "budget 'nosuch' not found here or among the packaged ones: cpu_2core, orin_agx"),
        ("profile=nosuch", "profile 'nosuch' not found here or among the packaged ones: "),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(assignment: str, expected: str) -> None:
    message = error_of(assignment)
    assert expected in message
    assert len(message) < 420


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "my.yaml: expected a mapping of keys to values, found nothing"),
        ("- a\n- b\n", "my.yaml: expected a mapping of keys to values, found a list"),
        ("just words\n", "my.yaml: expected a mapping of keys to values, found a str"),
        ("name: [1\n", "my.yaml: not valid YAML: line 2, column 1: expected ',' or ']'"),
        ("name: a\n\tb: 1\n", "my.yaml: not valid YAML: line 2, column 1: found character '\\t'"),
        ("name: a\nrig: sim_ur10e\nname: b\n", "my.yaml: not valid YAML: line 3, column 1: key 'name' stands twice"),
        ("name: 2020-13-45\n", "my.yaml: not valid YAML: month must be in 1..12"),
        ("a: !!python/object:os.system x\n", "my.yaml: not valid YAML: line 1, column 4: could not determine"),
        ("[" * 1000, "my.yaml: not valid YAML: it is nested too deeply"),
        ("name: a\x00b\n", "my.yaml: not valid YAML:"),
        ("name: a\n", "my.yaml: rig: missing"),
        ("name: a\nrig: nosuch\n", "rig 'nosuch' not found"),
        ("name: a\nrig: {name: b, cameras: []}\n", "my.yaml: rig.cameras: expected at least 1 value, found 0"),
        ("1: a\nname: a\nrig: sim_ur10e\n", "my.yaml: 1: "),
        ("name: a\nrig: sim_ur10e\nclock: 3\nseed: -1\n", "my.yaml: seed: expected >= 0, found -1 (and 1 more)"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(text)
    assert expected in error_of(name=str(path))


def test_a_binary_file(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_bytes(b"\x89PNG\xff\xfe")
    assert "my.yaml: not a text file (invalid start byte at byte 0); expected YAML" in error_of(name=str(path))


def test_a_missing_file_lists_the_packaged_ones() -> None:
    assert error_of(name="nosuch.yaml") == (
        f"configuration 'nosuch.yaml' not found here or among the packaged ones: {', '.join(PACKAGED_CONFIGS)}"
    )


def test_the_file_that_holds_the_mistake_is_named(tmp_path: Path) -> None:
    write(tmp_path / "my_rig.yaml", "name: mine\ncameras: [{name: a, source: {type: sim}, rate_hz: fast}]\n")
    path = write(tmp_path / "my.yaml", "name: mine\nrig: my_rig.yaml\n")
    assert error_of(name=str(path)).startswith("my_rig.yaml: rig.cameras.0.rate_hz: expected a plain number in hertz")


# ------------------------------------------------------------------------------------------------------- what is right


@pytest.mark.parametrize("name", PACKAGED_CONFIGS)
def test_packaged_configurations_are_valid(name: str) -> None:
    config = load_config(name)
    assert config.name == name
    assert config.rig.cameras
    assert config.budget.stages_ms
    assert config.profile.stages


@pytest.mark.parametrize("path", sorted((PACKAGED / "profiles").glob("*.yaml")), ids=lambda path: path.stem)
def test_packaged_profiles_are_complete(path: Path) -> None:
    profile = load_profile(path.stem)
    assert set(profile.stages) >= set(STAGES)
    assert profile.name == path.stem
    assert profile.source
    assert all(delay.source for delay in profile.stages.values())


def test_stages_are_the_ledgers() -> None:
    assert tuple(stage.label for stage in list(Stage)[: len(STAGES)]) == STAGES


@pytest.mark.parametrize("name", PACKAGED_CONFIGS)
@pytest.mark.parametrize(
    "assignments",
    [
        (),
        ("profile=measured", "task=", "detector.threads=2", "policy.options.a={b: [1, x]}"),
        (
            "profile.stages.detect={empirical_ms: [0.001, 0.1], source: 'run: a'}",
            "profile.stages.plan={lognormal_ms: {p50: 9, p99: 12}}",
            "profile.stages.detect_fallback={normal_ms: {mean: 9, sd: 1}}",
            "profile.add_ms.detect=-0.5",
        ),
    ],
)
def test_round_trip(name: str, assignments: tuple[str, ...]) -> None:
    config = load_config(name, assignments)
    text = to_yaml(config)
    again = from_yaml(text, "copy")
    assert again == config
    assert to_yaml(again) == text


@given(
    seed=st.integers(0, 2**63),
    confidence=st.floats(0, 1),
    translation=st.tuples(*[st.floats(-10, 10)] * 3),
    name=st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20),
)
@settings(max_examples=15, deadline=None)
def test_round_trip_keeps_each_bit(seed: int, confidence: float, translation: tuple[float, ...], name: str) -> None:
    config = load_config(SIM).model_copy(update={"seed": seed, "name": name})
    changes = [
        f"detector.confidence={confidence!r}",
        f"rig.cameras.0.gripper_T_camera.translation_m={list(translation)!r}",
    ]
    changed = assign(config, changes, "x")
    assert changed.detector.confidence == confidence
    camera = from_yaml(to_yaml(changed), "copy").rig.cameras[0]
    assert camera.gripper_T_camera is not None
    assert camera.gripper_T_camera.translation_m == translation
    assert from_yaml(to_yaml(changed), "copy") == changed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("not: [valid", "run/config.yaml: not valid YAML"),
        ("", "run/config.yaml: expected a mapping"),
        ("name: a", "run/config.yaml: rig: missing"),
    ],
)
def test_a_damaged_copy_names_its_origin(text: str, expected: str) -> None:
    with pytest.raises(BadInput, match=expected):
        from_yaml(text, "run/config.yaml")


def value_at(config: Config, path: str) -> object:
    node: object = config
    for part in path.split("."):
        if isinstance(node, tuple):
            node = node[int(part)]
        elif isinstance(node, dict):
            node = node[part]
        else:
            node = getattr(node, part)
    return node


@pytest.mark.parametrize(
    ("assignments", "path", "expected"),
    [
        (["seed=7"], "seed", 7),
        ([" seed =7"], "seed", 7),
        (["seed=7", "seed=8"], "seed", 8),
        (["detector.confidence=1e-1"], "detector.confidence", 0.1),
        (["detector.threads=auto"], "detector.threads", "auto"),
        (["rig.cameras.0.rate_hz=30"], "rig.cameras.0.rate_hz", 30.0),
        (["rig.cameras.0.gripper_T_camera.translation_m.2=0.5"], "rig.cameras.0.gripper_T_camera.translation_m.2", 0.5),
        (["rig.cameras.0.source.options.fps=15"], "rig.cameras.0.source.options.fps", 15),
        (["policy.options.a.b=x=y"], "policy.options.a.b", "x=y"),
        (["policy.options.on=yes"], "policy.options.on", True),
        (["task.bin_in_base_m=[-0.6, -0.4, 0]"], "task.bin_in_base_m", (-0.6, -0.4, 0.0)),
        (["task="], "task", None),
        (["task=", "task.timeout_s=5"], "task.timeout_s", 5.0),
        (["budget.stages_ms.detect=9"], "budget.stages_ms.detect", 9.0),
        (["profile=measured"], "profile.measured", True),
        (["profile=measured", "profile=nominal"], "profile.name", "nominal"),
        # a reference is followed first, wherever it stands, so that a key of it can be set
        (["budget.reaction_ms=80", "budget=orin_agx"], "budget.reaction_ms", 80.0),
        (["budget={name: own, reaction_ms: 9}"], "budget.stages_ms", {}),
        (["profile.add_ms.detect=40"], "profile.add_ms", {"detect": 40.0}),
        (["profile.stages.detect={lognormal_ms: {p50: 9, p99: 12}}"], "profile.stages.detect.lognormal_ms.p99", 12.0),
        (["profile.stages.detect={normal_ms: {mean: 9, sd: 1}}"], "profile.stages.detect.constant_ms", None),
        (["profile.stages.detect_fallback={constant_ms: 5}"], "profile.stages.detect_fallback.constant_ms", 5.0),
        (["profile.stages.detect.constant_ms=", "profile.stages.detect.empirical_ms=[1, 2]"],
         "profile.stages.detect.empirical_ms", (1.0, 2.0)),
    ],
)  # fmt: skip
def test_assignments(assignments: list[str], path: str, expected: object) -> None:
    assert value_at(load_config(SIM, assignments), path) == expected


@pytest.mark.parametrize(
    ("assignments", "path", "expected"),
    [
        (["seed=7"], "seed", 7),
        (["profile=measured"], "profile.measured", True),
        (["budget=orin_agx", "budget.reaction_ms=5"], "budget.reaction_ms", 5.0),
        (["rig.cameras.0.rate_hz=5"], "rig.cameras.0.rate_hz", 5.0),
    ],
)
def test_assignments_to_a_resolved_tree(assignments: list[str], path: str, expected: object) -> None:
    assert value_at(assign(load_config(SIM), assignments, "run"), path) == expected


@pytest.mark.parametrize(
    ("profile", "assignments", "expected"),
    [
        (None, [], "nominal"),
        ("measured", [], "measured"),
        ("measured", ["profile=nominal"], "nominal"),
        ("nominal", ["profile=measured"], "measured"),
    ],
)
def test_the_profile_of_the_command_line(profile: str | None, assignments: list[str], expected: str) -> None:
    assert load_config(SIM, assignments, profile).profile.name == expected


def test_names_resolve_here_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_file("nominal", "profiles").parent == PACKAGED / "profiles"
    mine = write(tmp_path / "nominal.yaml", "name: mine\n")
    assert resolve_file("nominal", "profiles").resolve() == mine.resolve()
    assert load_profile("nominal").name == "mine"


def test_references_are_found_beside_the_file_that_names_them(tmp_path: Path) -> None:
    write(tmp_path / "budget_a.yaml", "name: a\nreaction_ms: 1\n")
    write(tmp_path / "profile_a.yaml", "name: pa\nstages: {detect: {constant_ms: 3}}\n")
    path = write(tmp_path / "my.yaml", "name: my\nrig: sim_ur10e\nbudget: budget_a.yaml\nprofile: profile_a\n")
    config = load_config(str(path), ["profile.stages.detect.constant_ms=4"])
    assert (config.budget.name, config.budget.reaction_ms) == ("a", 1.0)
    assert (config.profile.name, config.profile.stages["detect"].constant_ms) == ("pa", 4.0)


def test_a_rig_written_in_place(tmp_path: Path) -> None:
    path = write(
        tmp_path / "my.yaml",
        """
        name: my
        rig:
          name: here
          cameras: [{name: a, source: {type: opencv, options: {path: 0}}, rate_hz: 15}]
        """,
    )
    config = load_config(str(path), ["rig.cameras.0.rate_hz=5"])
    assert (config.rig.name, config.rig.cameras[0].rate_hz, config.rig.arm) == ("here", 5.0, None)


def test_values_are_frozen() -> None:
    config = load_config(SIM)
    with pytest.raises(ValidationError):
        config.seed = 5  # type: ignore[misc]


def test_loading_leaves_the_packaged_file_as_it_is() -> None:
    path = PACKAGED / f"{SIM}.yaml"
    before = path.read_bytes()
    load_config(SIM, ["seed=9"])
    assert path.read_bytes() == before
    assert yaml.safe_load(before).get("seed") is None


@pytest.mark.parametrize(
    ("rotation", "matrix_row"),
    [
        ({}, (1.0, 0.0, 0.0)),
        ({"rotation_vector_rad": [0.0, 0.0, 1.5707963267948966]}, (0.0, -1.0, 0.0)),
        ({"quaternion_xyzw": [0.0, 0.0, 1.0, 0.0]}, (-1.0, 0.0, 0.0)),
    ],
)
def test_poses_of_a_rig(rotation: dict[str, list[float]], matrix_row: tuple[float, ...]) -> None:
    import numpy as np

    from launch.config.rig import PoseConfig

    pose = PoseConfig.model_validate({"translation_m": [1, 2, 3], **rotation}).pose()
    np.testing.assert_allclose(pose.rotation[0], matrix_row, atol=1e-12)
    np.testing.assert_allclose(pose.translation, [1, 2, 3])
