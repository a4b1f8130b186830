"""The benchmark of localization: the scenes are what they say, the scoring is right, and it runs."""

from __future__ import annotations

import importlib
import math
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from geometry import Camera, project
from perception.detections import Detections
from perception.frame import Frame
from perception.localize import LocalizeParameters
from perception.masks import Masks
from robot.sim.sensor import Sensor, SensorParameters
from tests.benchmarks.test_benchmarks import benchmark

pytest.importorskip("mujoco", reason="mujoco is not installed: pip install 'eyehand[sim]'")

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
DOCS = (ROOT / "docs" / "localization.md").read_text(encoding="utf-8")
CAMERA = Camera(640, 480, 600.0, 600.0, 319.5, 239.5)
NAMES = ("red_cube", "distractor")


@pytest.fixture(scope="module")
def modules() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        names = ("localization", "localization_figures", "localization_baselines", "localization_inputs")
        yield {name: importlib.import_module(name) for name in (*names, "cluttered_scenes")}


@pytest.fixture(scope="module")
def benchmark_module(modules: dict[str, ModuleType]) -> ModuleType:
    return modules["localization"]


@pytest.fixture(scope="module")
def inputs(modules: dict[str, ModuleType]) -> ModuleType:
    return modules["localization_inputs"]


@pytest.fixture(scope="module")
def figures(modules: dict[str, ModuleType]) -> ModuleType:
    return modules["localization_figures"]


@pytest.fixture(scope="module")
def baselines(modules: dict[str, ModuleType]) -> ModuleType:
    return modules["localization_baselines"]


@pytest.fixture(scope="module")
def scenes(modules: dict[str, ModuleType]) -> list[Any]:
    return list(modules["cluttered_scenes"].scenes(7, 3, "raycast", 1))


def boxes_of(*boxes: tuple[float, float, float, float], ids: tuple[int, ...] = (), **more: Any) -> Detections:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    classes = np.array(ids or np.zeros(len(array)), np.int32)
    return Detections("wrist", 0, 0, array, np.ones(len(array), np.float32), classes, NAMES, **more)


def frame_of(depth_m: np.ndarray) -> Frame:
    color = np.zeros((480, 640, 3), np.uint8)
    return Frame("wrist", 0, 0, 0, color, np.rint(depth_m * 1000).astype(np.uint16), 0.001, CAMERA)


# scenes


def test_as_much_is_hidden_as_they_say(scenes: list[Any]) -> None:
    for scene, (low, high) in zip(scenes, ((0.0, 0.1), (0.1, 0.3), (0.3, 0.6)), strict=True):
        assert scene.names[0] == "red_cube"
        assert low <= scene.hidden[0] < high
        assert (scene.hidden < 0.6).all()


def test_the_truth_is_that_of_the_picture(scenes: list[Any]) -> None:
    for scene in scenes:
        for row, box in enumerate(scene.boxes):
            lines, columns = np.nonzero(scene.rows == row)
            assert (columns.min(), lines.min(), columns.max() + 1, lines.max() + 1) == pytest.approx(box, abs=1.0)
        lines, columns = np.nonzero(scene.rows == 0)
        depth_m = scene.frame.depth[lines, columns] * scene.frame.depth_scale_m
        center = scene.base_T_camera.inverse().apply(scene.centers_m[:1])[0]
        near = depth_m[depth_m > 0] - center[2]
        assert np.median(np.abs(near)) < 0.02 * math.sqrt(3.0), "the cube's surface is that far from its middle"
        if scene.hidden[0] < 0.1:
            pixel = project(center[None], scene.frame.camera)[0]
            assert scene.rows[tuple(np.rint(pixel[::-1]).astype(int))] == 0


def test_a_seed_gives_one_scene(modules: dict[str, ModuleType], scenes: list[Any]) -> None:
    module = modules["cluttered_scenes"]
    renderer = module.make_renderer("raycast")
    again, other = (module.make_scene(seed, 1, renderer) for seed in (7, 8))
    renderer.close()
    assert np.array_equal(again.frame.depth, scenes[1].frame.depth)
    assert np.array_equal(again.centers_m, scenes[1].centers_m)
    assert not np.array_equal(other.frame.depth, scenes[1].frame.depth)


# what is given to the methods


def test_boxes_are_moved_as_much_as_asked_for(inputs: ModuleType, scenes: list[Any]) -> None:
    still = inputs.moved(scenes[0], 0.0, 1)
    assert still.boxes == pytest.approx(scenes[0].boxes)
    inner = replace(
        scenes[0], boxes=np.tile((200.0, 200.0, 300.0, 300.0), (500, 1)), names=("red_cube",) * 500,
    )  # fmt: skip
    assert np.std(inputs.moved(inner, 3.0, 1).boxes - inner.boxes) == pytest.approx(3.0, rel=0.1)
    border = replace(inner, boxes=np.tile((0.0, 0.0, 5.0, 480.0), (500, 1)))
    boxes = inputs.moved(border, 3.0, 1).boxes
    assert boxes.min() >= 0.0
    assert boxes[:, 3].max() <= 480.0
    assert (boxes[:, 2] - boxes[:, 0]).min() >= 4.0


def test_a_detectors_box_counts_for_an_object_of_its_class_only(inputs: ModuleType, scenes: list[Any]) -> None:
    scene = replace(
        scenes[0], names=("red_cube", "distractor"), boxes=np.array([[0.0, 0, 40, 40], [100, 100, 140, 140]])
    )
    found = boxes_of((102, 100, 140, 140), (0, 0, 40, 40), (0, 0, 40, 38), (300, 300, 310, 310), ids=(1, 1, 0, 0))
    kept, rows = inputs.matched(scene, found)
    assert {int(row): box.tolist() for row, box in zip(rows, kept.boxes, strict=True)} == {
        0: [0, 0, 40, 38], 1: [102, 100, 140, 140],
    }  # fmt: skip
    nothing, none = inputs.matched(scene, boxes_of())
    assert (len(nothing), len(none)) == (0, 0)


def test_what_is_told_about_the_sensor_is_what_it_does(inputs: ModuleType) -> None:
    sensor = SensorParameters(edge_hole_share=0.0, hole_share=0.0)
    told = inputs.parameters_of(sensor, {"red_cube": 0.04})
    assert (told.correlated_px, told.depth_noise_per_m) == (1.0, sensor.noise_per_m)
    assert dict(told.size_m) == {"red_cube": 0.04}
    usual = inputs.USUAL_M
    flat = usual + np.linspace(0.0, 0.001, 40)  # a flat face at every place between two steps
    pictures = [Sensor(sensor, seed).depth(np.full((60, 60), z, np.float32), 0) for seed, z in enumerate(flat)]
    errors = [picture * sensor.depth_scale_m - z for picture, z in zip(pictures, flat, strict=True)]
    pixel = told.depth_noise_m + told.depth_noise_per_m * usual**2
    spread = np.std(errors)
    assert 0.6 * pixel < spread <= pixel, "the two parts are added up, which is careful"
    common = np.std(np.mean(errors, axis=(1, 2)))
    assert common == pytest.approx(told.depth_bias * pixel, rel=0.35)


# baselines


def cube_from_above(at: tuple[int, int] = (320, 240)) -> np.ndarray:
    """The top of a cube of 40 mm, 60 px wide, at 0.4 m, on a table."""
    depth = np.full((480, 640), 0.44)
    column, line = at
    depth[line - 30 : line + 30, column - 30 : column + 30] = 0.4
    return depth


@pytest.mark.parametrize(
    ("name", "shift_m"), [("depth at the middle", 0.02), ("median depth", 0.016), ("closest quarter", 0.02)]
)
@pytest.mark.parametrize("size_m", [0.04, math.nan])
def test_a_baseline_goes_into_the_object_along_the_ray(
    baselines: ModuleType, name: str, shift_m: float, size_m: float
) -> None:
    found = baselines.locate(name, boxes_of((290, 210, 350, 270)), frame_of(cube_from_above()), np.array([size_m]))
    assert found[0] == pytest.approx((0.0, 0.0, 0.4 + shift_m), abs=1e-6)
    beside = baselines.locate(
        name, boxes_of((490, 210, 550, 270)), frame_of(cube_from_above((520, 240))), np.array([size_m])
    )[0]
    ray = np.array([(519.5 - 319.5) / 600.0, 0.0, 1.0])
    assert beside == pytest.approx(0.4 * ray + shift_m * ray / np.linalg.norm(ray), abs=1e-6)


def test_what_stands_in_front_is_where_baselines_differ(baselines: ModuleType) -> None:
    depth = cube_from_above()
    depth[210:232, 290:350] = 0.2  # 37 % of the box
    box, size = boxes_of((290, 210, 350, 270)), np.array([0.04])
    depths = {name: baselines.locate(name, box, frame_of(depth), size)[0, 2] for name in baselines.BASELINES}
    assert depths == pytest.approx({"depth at the middle": 0.42, "median depth": 0.416, "closest quarter": 0.22})
    own = np.zeros((1, 480, 640), bool)
    own[0, 232:270, 290:350] = True
    masked = replace(box, masks=Masks.from_arrays(own))
    for name in baselines.BASELINES:
        _, y, z = baselines.locate(name, masked, frame_of(depth), size)[0]
        assert z > 0.41
        assert y == pytest.approx((251 - 240) / 600 * z, abs=1e-3), "the middle is the mask's"


def test_without_depth_there_is_no_point(baselines: ModuleType) -> None:
    for name in baselines.BASELINES:
        found = baselines.locate(name, boxes_of((290, 210, 350, 270)), frame_of(np.zeros((480, 640))), np.array([0.04]))
        assert np.isnan(found).all()


# figures


def answers_of(
    figures: ModuleType, errors: np.ndarray, covariance: np.ndarray | None, hidden: float = 0.0
) -> list[Any]:
    return [
        figures.Answer(0, 0, hidden, np.zeros(4), error, error, figures.squared_error(error, covariance))
        for error in errors
    ]


def test_the_right_covariance_is_found_right_and_another_is_not(figures: ModuleType) -> None:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(3, 3)) * 0.002
    errors = rng.normal(size=(2000, 3)) @ mix.T
    right = figures.figures(answers_of(figures, errors, mix @ mix.T))["nees"]
    assert right["expected_low"] <= right["mean"] <= right["expected_high"]
    assert right["within_95"] == pytest.approx(0.95, abs=0.015)
    for factor in (0.5, 2.0):
        other = figures.figures(answers_of(figures, errors, factor * mix @ mix.T))["nees"]
        assert not other["expected_low"] <= other["mean"] <= other["expected_high"]


def test_an_object_without_a_point_is_counted_and_missed(figures: ModuleType) -> None:
    errors = np.zeros((4, 3))
    errors[:, 0] = 0.001, 0.003, 0.02, np.nan
    row = figures.figures(answers_of(figures, errors, None))
    assert (row["n"], row["without"], row["nees"]) == (4, 1, None)
    assert row["median_mm"] == pytest.approx(3.0)
    assert row["max_mm"] == pytest.approx(20.0)
    assert row["within_10mm"] == pytest.approx(0.5)
    nothing = figures.figures([])
    assert (nothing["n"], nothing["median_mm"]) == (0, None)


def test_figures_by_part_hidden(figures: ModuleType) -> None:
    answers = [
        answer
        for number, hidden in enumerate((0.0, 0.0999, 0.1, 0.3, 0.59))
        for answer in answers_of(figures, np.full((1, 3), 0.001 * number), None, hidden)
    ]
    assert {part: row["n"] for part, row in figures.split(answers).items()} == {
        "all": 5, "0-10": 2, "10-30": 1, "30-60": 2,
    }  # fmt: skip


# the program


def test_it_runs(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="no inference engine is installed: pip install 'eyehand[cpu]'")
    result = benchmark(
        "localization.py", "--scenes", "3", "--seed", "7", "--processes", "1", "--cases", str(tmp_path / "worst")
    )
    rows = {(row["case"], row["method"], row["hidden"]): row for row in result["rows"]}
    whole = {name: row for name, row in rows.items() if name[2] == "all"}
    assert len(whole) == 8 * 4
    cube = rows["cube, moved boxes", "perception.localize", "all"]
    assert (cube["n"], cube["without"]) == (3, 0)
    assert cube["median_mm"] < 10.0
    assert rows["cube, moved boxes", "median depth", "all"]["nees"] is None
    assert cube["nees"]["mean"] > 0.0
    assert 0 <= result["detector"]["found"]["red_cube"] <= result["detector"]["in_view"]["red_cube"] == 3
    assert result["time"]["object"]["n"] == result["time"]["picture"]["n"] > 0
    assert len(list((tmp_path / "worst").glob("*.png"))) == 3


@pytest.mark.parametrize("options", [["--scenes", "0"], ["--moved-px", "-1"], ["--moved-px", "nan"], ["--seed", "x"]])
def test_bad_options(benchmark_module: ModuleType, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        benchmark_module.main(options)
    assert caught.value.code == 2
    assert options[0] in capsys.readouterr().err


# the document


def test_the_program_in_the_document_runs() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", DOCS, flags=re.DOTALL)
    exec(compile(program, "docs/localization.md", "exec"), {})


def test_figures_in_the_document_are_the_defaults() -> None:
    table = DOCS[DOCS.index("## Parameters") : DOCS.index("## When to trust")]
    figures = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", table, flags=re.MULTILINE))
    assert len(figures) == 7
    defaults = LocalizeParameters()
    assert {name: float(figure) for name, figure in figures.items()} == {
        name: getattr(defaults, name) for name in figures
    }
