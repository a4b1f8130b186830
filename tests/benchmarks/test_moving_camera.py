"""A moving camera over a table: the scenes are what they say, and the base frame keeps identities that no image can."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from geometry import Pose, project
from perception import Sight, Visibility

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module(name)


@pytest.fixture
def scenes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("moving_camera_scene", monkeypatch)


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("motmetrics", reason="motmetrics is not installed: pip install 'eyehand[eval]'")
    return load("moving_camera", monkeypatch)


def arrays(looks: list[Any]) -> list[np.ndarray]:
    names = ("truth_ids", "truth_boxes", "truth_points_m", "boxes", "scores", "class_ids", "points_m", "sources")
    return [getattr(look, name) for look in looks for name in names]


def test_a_seed_gives_one_scene(scenes: ModuleType) -> None:
    first, again, other = (scenes.make_scene(0.5, 1.0, seed) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(arrays(first), arrays(again), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(arrays(first), arrays(other), strict=True))


def test_the_camera_flies_at_constant_speed_and_reports_its_pose_with_the_stated_error(scenes: ModuleType) -> None:
    for speed in (0.25, 1.0):
        path = scenes.camera_path(speed, 300, np.random.default_rng(0))
        steps = np.linalg.norm(np.diff([pose.translation for pose in path], axis=0), axis=1)
        assert steps * scenes.RATE_HZ == pytest.approx(speed, rel=0.005)
    looks = scenes.make_scene(0.25, 5.0, 1)
    path = scenes.camera_path(0.25, len(looks), np.random.default_rng([1, 2]))
    errors = [true.inverse() @ look.pose for true, look in zip(path, looks, strict=True)]
    assert np.std([error.translation for error in errors]) == pytest.approx(0.001, rel=0.15)
    turns = [error.rotation[[2, 0, 1], [1, 2, 0]] for error in errors]
    assert np.degrees(np.std(turns)) == pytest.approx(0.2, rel=0.15)


def test_what_moves_stays_on_the_table_and_keeps_its_distance(scenes: ModuleType) -> None:
    world = scenes.World(np.random.default_rng(5))
    paths = []
    for _ in range(900):
        paths.append(world.cubes().centres_m)
        world.step()
    xy = np.array(paths)[:, :, :2]
    assert (np.abs(xy) <= 0.5 * scenes.TABLE_M).all()
    apart = np.linalg.norm(xy[:, :, None] - xy[:, None], axis=-1) + np.eye(xy.shape[1])
    assert apart.min() >= scenes.SPACING_M - 1e-9
    speeds = np.linalg.norm(np.diff(xy, axis=0), axis=2) * scenes.RATE_HZ
    assert (speeds[:, scenes.MOVING :] == 0.0).all()
    moving = speeds[:, : scenes.MOVING]
    assert moving.max() <= scenes.SPEED_M_S[1] + 1e-9
    assert (moving.max(axis=0) >= scenes.SPEED_M_S[0]).all()
    assert 0.05 < (moving == 0.0).mean() < 0.6, "they stop at times"


def test_the_truth_is_what_is_in_view(scenes: ModuleType) -> None:
    looks = scenes.make_scene(0.5, 4.0, 2)
    path = scenes.camera_path(0.5, len(looks), np.random.default_rng([2, 2]))
    for look, pose in zip(looks, path, strict=True):
        pixels = project(pose.inverse().apply(look.truth_points_m), scenes.CAMERA)
        assert (look.truth_boxes[:, :2] <= pixels + 10.0).all(), "half of a cube is in view with its centre on the edge"
        assert (pixels - 10.0 <= look.truth_boxes[:, 2:]).all()
        size = [scenes.CAMERA.width, scenes.CAMERA.height]
        assert ((look.truth_boxes >= -0.5) & (look.truth_boxes <= np.tile(size, 2))).all()
    seen = {number for look in looks for number in look.truth_ids.tolist()}
    assert len(seen) > max(len(look.truth_ids) for look in looks), "some are out of view at times"


def test_behind_another_cube_is_not_in_view(scenes: ModuleType) -> None:
    low = Pose.from_rotvec([-np.pi / 2, 0.0, 0.0], [0.0, -0.4, 0.02])
    cubes = scenes.Cubes(np.array([[0.0, 0.0, 0.02], [0.0, 0.1, 0.02], [0.1, 0.1, 0.02]]), np.zeros(3), np.zeros(3))
    in_view, _, shares = scenes.visible(cubes, low)
    assert in_view.tolist() == [0, 2]
    assert shares[1] == 0.0


def test_detections_are_those_of_the_truth_but_for_ghosts(scenes: ModuleType) -> None:
    looks = scenes.make_scene(0.5, 20.0, 6)
    blind = np.array([not len(look.boxes) for look in looks])
    assert 0.01 < blind.mean() < 0.15
    truth = sum(len(look.truth_ids) for look, dark in zip(looks, blind, strict=True) if not dark)
    found = sum((look.sources > 0).sum() for look in looks)
    assert found / truth == pytest.approx(0.92, abs=0.02)
    ghosts = sum((look.sources == 0).sum() for look in looks)
    assert 0.02 < ghosts / found < 0.1
    for look in looks[::20]:
        rows = np.flatnonzero(look.sources > 0)
        places = dict(zip(look.truth_ids.tolist(), look.truth_points_m, strict=True))
        assert set(look.sources[rows].tolist()) <= set(places)
        for row in rows:
            assert np.linalg.norm(look.pose.apply(look.points_m[row]) - places[int(look.sources[row])]) < 0.025


def test_depth_is_that_of_the_scene(scenes: ModuleType, benchmark: ModuleType) -> None:
    """The view itself, in both worlds: visible where a cube is, free where there is none."""
    cubes = scenes.Cubes(np.array([[0.0, 0.0, 0.02], [0.15, 0.0, 0.02]]), np.array([0.3, 0.0]), np.zeros(2))
    down = Pose.from_rotvec([np.pi, 0.0, 0.0], [0.05, 0.0, 0.5])
    sees = Visibility(benchmark.View(scenes.DepthImage(cubes, down, [0])), down)
    places = [*cubes.centres_m, [-0.1, 0.1, 0.02], [0.5, 0.0, 0.02]]
    assert sees(places).tolist() == [Sight.VISIBLE, Sight.VISIBLE, Sight.FREE, Sight.OUTSIDE]


def test_the_motion_of_the_picture_takes_the_table_along(benchmark: ModuleType, scenes: ModuleType) -> None:
    before, after = scenes.camera_path(1.0, 2, np.random.default_rng(1))
    motion = benchmark.pixels_of_table(after) @ np.linalg.inv(benchmark.pixels_of_table(before))
    table = np.array([[0.0, 0.0, 0.0], [0.1, -0.05, 0.0]])
    u, v = project(before.inverse().apply(table), scenes.CAMERA).T
    moved = motion @ np.stack((u, v, np.ones(2)))
    assert np.allclose((moved[:2] / moved[2]).T, project(after.inverse().apply(table), scenes.CAMERA))


def test_ids_by_row_whatever_a_tracker_leaves_out_or_reorders(benchmark: ModuleType) -> None:
    detected = np.array([[0.0, 0.0, 10.0, 10.0], [20.0, 0.0, 30.0, 10.0], [40.0, 0.0, 50.0, 10.0]])
    assert benchmark.rows_of(np.array([7, 3]), detected[[2, 0]] + 1e-4, detected).tolist() == [3, -1, 7]
    assert benchmark.rows_of(np.zeros(0, np.int64), np.zeros((0, 4)), detected).tolist() == [-1, -1, -1]
    with pytest.raises(ValueError, match="no detection"):
        benchmark.rows_of(np.array([1]), detected[:1] + 3.0, detected)


def test_the_base_frame_keeps_identities(benchmark: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """A floor well below the figures, which are those of five longer scenes at each speed."""
    assert benchmark.main(["--speeds", "0.5", "--seconds", "8", "--seeds", "1", "--first-seed", "11"]) == 0
    out = capsys.readouterr().out
    result = json.loads(out.splitlines()[-1])
    (table,) = result["tables"]
    rows = table["rows"]
    ours = rows[benchmark.BASE]
    assert ours["base"]["hota"] > 65.0
    assert ours["base"]["idf1"] > 65.0
    for other in (benchmark.STILL, benchmark.UNTOLD):
        assert ours["image"]["hota"] > rows[other]["image"]["hota"] + 3.0, other
    assert rows[benchmark.STILL]["image"]["hota"] + 10.0 < rows[benchmark.MOVED]["image"]["hota"]
    assert ours["image"]["hota"] < rows[benchmark.ORACLE]["image"]["hota"]
    assert rows[benchmark.ORACLE]["image"]["switches"] == 0
    assert table["late_costs_hota"] > 3.0
    assert table["kept"] is (ours["base"]["hota"] >= 75.0)
    reported = set(rows) | {line.split(":", 1)[0] for line in result["missing"]}
    assert reported >= {*benchmark.PEERS, benchmark.NORFAIR}
    assert benchmark.BASE in out


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--speeds", "0.5,x"], "0.5,x"),
        (["--speeds", "-1"], "-1"),
        (["--speeds", ""], "--speeds"),
        (["--seeds", "0"], "--seeds"),
    ],
)
def test_bad_options(benchmark: ModuleType, options: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        benchmark.main(options)
    assert stopped.value.code == 2
    assert named in capsys.readouterr().err
