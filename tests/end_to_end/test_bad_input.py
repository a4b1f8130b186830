"""What a user can get wrong, through the command line: one line on stderr, the right exit code, nothing lost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.end_to_end.conftest import Done, Eyehand

Recorded = tuple[Path, dict[str, Any]]


def one_line(done: Done, code: int, *words: str) -> None:
    lines = done.err.strip().splitlines()
    assert done.code == code, done.err
    assert done.out == ""
    assert len(lines) == 1, done.err
    assert lines[0].startswith("eyehand: ")
    for word in words:
        assert word in lines[0], f"{word!r} not in {lines[0]!r}"


def mcap_of(run: Path) -> Path:
    return next(run.glob("*.mcap"))


def test_an_empty_bag(eyehand: Eyehand, tmp_path: Path) -> None:
    bag = tmp_path / "empty.mcap"
    bag.touch()
    one_line(eyehand("replay", bag, "--json"), 2, str(bag), "empty")


@pytest.mark.parametrize("share", [0.3, 0.999])
def test_a_truncated_bag(eyehand: Eyehand, recorded: Recorded, tmp_path: Path, share: float) -> None:
    cut = tmp_path / "run"
    shutil.copytree(recorded[0], cut)
    file = mcap_of(cut)
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    one_line(eyehand("replay", cut, "--json"), 2, "cut short")
    one_line(eyehand("report", cut, "--json"), 2, "cut short")


def test_not_a_bag(eyehand: Eyehand, tmp_path: Path) -> None:
    text = tmp_path / "notes.mcap"
    text.write_text("not a bag at all, but long enough to look at\n" * 40)
    one_line(eyehand("replay", text), 2, str(text))
    one_line(eyehand("replay", tmp_path / "nowhere"), 2, "nowhere")


def test_a_bag_without_images(eyehand: Eyehand, shared_data: Path) -> None:
    one_line(eyehand("replay", shared_data / "ros1_bags" / "fetch_calibration_poses.bag"), 2, "image")


def test_a_report_of_a_bag_that_is_not_a_run(eyehand: Eyehand, shared_data: Path) -> None:
    one_line(eyehand("report", shared_data / "ros1_bags" / "watercan.bag", "--json"), 2, "report needs a run")


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("detector.confidense=0.4", ("detector.confidense", "unknown key", "confidence")),
        ("detector.confidence=high", ("detector.confidence", "'high'")),
        ("task.timeout_ms=3000", ("task.timeout_ms", "timeout_s")),
        ("control.rate_hz=-5", ("control.rate_hz", "-5")),
        ("rig=elsewhere", ("elsewhere", "sim_ur10e")),
        ("policy.type=acct", ("acct", "expert")),
        ("policy.options.speed=1", ("policy.options.speed", "learned", "seed")),
        ("policy.object_class=unicorn", ("policy.object_class", "unicorn", "red_cube")),
        ("detector.backend=nosuch", ("detector.backend", "nosuch", "onnxruntime")),
        ("rig.cameras.0.source.type=nosuch", ("rig.cameras.0.source.type", "nosuch")),
        ("governor.max_velocity_rad_s=[-1, 1, 1, 1, 1, 1]", ("governor.max_velocity_rad_s.0", "-1")),
    ],
)
def test_a_typo_in_the_configuration(eyehand: Eyehand, assignment: str, words: tuple[str, ...]) -> None:
    one_line(eyehand("validate", "sim_pick_place", "--set", assignment), 2, *words)


@pytest.mark.parametrize("assignment", ["policy.type=nosuch", "rig.cameras.0.source.options.foo=1"])
def test_a_run_that_cannot_be_leaves_no_folder(eyehand: Eyehand, tmp_path: Path, assignment: str) -> None:
    done = eyehand("run", "--out", tmp_path / "new" / "run", "--set", assignment)
    one_line(done, 2, assignment.partition("=")[0].rpartition(".")[2])
    assert not (tmp_path / "new").exists()


def test_a_pose_out_of_reach(eyehand: Eyehand, tmp_path: Path) -> None:
    done = eyehand("run", "--out", tmp_path / "run", "--set", "task.bin_in_base_m=[-1.9, 0.0, 0.0]")
    one_line(done, 2, "task.bin_in_base_m", "1.9")
    assert not (tmp_path / "run").exists()


def write_classifier(path: Path) -> None:
    weight = numpy_helper.from_array(np.zeros((3, 1000), np.float32), "w")
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["scores"]),
    ]
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 256, 320])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 1000])
    graph = helper.make_graph(nodes, "classifier", [image], [scores], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for key, value in {"names": "{0: 'red_cube', 1: 'distractor'}", "imgsz": "[256, 320]"}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, path)


def test_a_model_with_the_wrong_outputs(eyehand: Eyehand, tmp_path: Path) -> None:
    model = tmp_path / "classifier.onnx"
    write_classifier(model)
    done = eyehand("run", "--out", tmp_path / "run", "--set", f"detector.model={model}")
    one_line(done, 2, "1000")


def test_a_model_that_is_not_onnx(eyehand: Eyehand, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_text("weights, honestly")
    one_line(eyehand("run", "--out", tmp_path / "run", "--set", f"detector.model={model}"), 2, str(model), "ONNX")


def test_an_output_folder_that_holds_something(eyehand: Eyehand, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("do not lose me")
    one_line(eyehand("run", "--out", tmp_path / "run"), 2, "not an empty folder")
    assert (tmp_path / "run" / "thesis.txt").read_text() == "do not lose me"


@pytest.mark.parametrize(
    "arguments",
    [("run", "--episodes", "0"), ("run", "--seed", "x"), ("run", "--clock", "sundial"), ("replay",), ("dance",)],
)
def test_arguments_that_mean_nothing(eyehand: Eyehand, arguments: tuple[str, ...]) -> None:
    done = eyehand(*arguments)
    assert done.code == 2
    assert "Traceback" not in done.err
