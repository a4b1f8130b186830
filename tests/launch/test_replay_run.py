"""Replays that cannot be: another camera than recorded, no depth, an end that an older program wrote, no images."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime", reason="no inference engine is installed: pip install '.[cpu]'")

from deploy.errors import BadInput
from launch.bag import BagReader, BagWriter
from launch.cli import main
from launch.config import load_config, to_yaml
from launch.recording import CONFIG, END, LEDGER, NO_IMAGES, End
from launch.replay_run import replay
from launch.streams import OUTPUTS
from tests.perception.sources.bag_builders import MS, small_frame


def quiet(_message: str) -> None:
    """Progress that nobody wants to see."""


def write_bag(folder: Path, *texts: tuple[str, str], depth: bool = False, ledger: bool = False) -> Path:
    with BagWriter(folder) as writer:
        for name, text in texts:
            writer.write_text(name, text, 0)
        if ledger:
            writer.write_bytes(LEDGER, b"", 0)
        for k in range(2):
            frame = small_frame(k)
            writer.write_frame(frame if depth else replace(frame, depth=None), 33 * MS * k)
    return folder


def test_a_bag_without_depth_is_refused_or_only_detected(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag")
    with pytest.raises(BadInput, match=r"no depth for camera \w+: .*localize\.require_depth=false") as caught:
        replay(bag, [], quiet)
    assert "\n" not in str(caught.value)
    outcome = replay(bag, ["localize.require_depth=false"], quiet)[0]
    assert outcome.frames == 2


def test_a_bag_with_depth_needs_nothing(tmp_path: Path) -> None:
    assert replay(write_bag(tmp_path / "bag", depth=True), [], quiet)[0].frames == 2


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("rig.cameras.0.name=foo", "recorded with cameras wrist, they cannot become foo"),
        ("rig=recording", "recorded with cameras wrist, they cannot become camera"),
        ("rig.arm=null", "rig.cameras.0.gripper_T_camera: camera wrist sits on a gripper but the rig has no arm"),
        (
            "rig={name: x, cameras: [{name: wrist, source: {type: sim}}]}",
            "recorded with an arm, a replay cannot have none",
        ),
    ],
)
def test_a_run_replays_with_its_own_hardware(tmp_path: Path, assignment: str, message: str) -> None:
    run = write_bag(tmp_path / "run", (CONFIG, to_yaml(load_config("sim_pick_place"))), ledger=True)
    with pytest.raises(BadInput, match=message) as caught:
        replay(run, [assignment], quiet)
    assert "\n" not in str(caught.value)


def test_a_report_of_recorded_cameras(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = write_bag(tmp_path / "bag", (CONFIG, to_yaml(load_config("perception"))))
    assert main(["report", str(bag)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "no run in it" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (End(3, "abc").to_text(), End(3, "abc")),
        ("lost: 0", End(0, "")),
        ("lost: 12", End(12, "")),
        ('{"lost": 7}', End(7, "")),
        ("", End(0, "")),
        ("[1, 2]", End(0, "")),
        ('{"lost": null, "code": "abc"}', End(0, "")),
    ],
)
def test_ends(text: str, end: End) -> None:
    assert End.of(text) == end


def test_an_end_of_an_older_run_is_read(tmp_path: Path) -> None:
    config = to_yaml(load_config("sim_pick_place"))
    run = write_bag(tmp_path / "run", (CONFIG, config), (END, "lost: 0"), ledger=True)
    outcome = replay(run, ["seed=1"], quiet)[0]
    assert outcome.extra["identical"] is None


@pytest.fixture(scope="module")
def run_without_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mujoco", reason="mujoco is not installed: pip install 'eyehand[sim]'")
    folder = tmp_path_factory.mktemp("runs") / "run"
    settings = ("record.images=false", "record.picture_strip=false", "task.timeout_s=0.5")
    # half a second is too short for the task
    assert main(["run", "--out", str(folder), *(part for setting in settings for part in ("--set", setting))]) == 1
    return folder


def test_a_run_without_images_says_that_it_cannot_be_replayed(run_without_images: Path) -> None:
    with BagReader(run_without_images) as reader:
        assert reader.cameras == ()
        assert set(OUTPUTS) <= set(reader.streams)
    notes = json.loads((run_without_images / "summary.json").read_text())["notes"]
    assert notes[NO_IMAGES] == 1


@pytest.mark.parametrize("assignments", [(), ("--set", "record.images=true"), ("--set", "detector.confidence=0.9")])
def test_a_run_without_images_is_not_compared(
    run_without_images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], assignments: tuple[str, ...]
) -> None:
    command = ["replay", str(run_without_images), *assignments]
    assert main([*command, "--json", "--out", str(tmp_path / "again")]) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert (outcome["identical"], outcome["reason"], outcome["replay_hash"]) == (None, NO_IMAGES, None)
    assert (tmp_path / "again" / "summary.json").is_file()
    assert main(command) == 0
    assert "not compared: recorded without images" in capsys.readouterr().err


def test_a_run_without_images_has_its_report(run_without_images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run_without_images), "--json"]) == 0
    stages = json.loads(capsys.readouterr().out)["stages"]
    assert stages["capture"]["n"] >= 3
    assert stages["send"]["n"] >= 20


def test_a_bag_of_a_run_that_lost_its_images_is_refused(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "run") as writer:
        writer.write_text(CONFIG, to_yaml(load_config("sim_pick_place")), 0)
        writer.write_bytes(LEDGER, b"", 0)
    with pytest.raises(BadInput, match="no images in this bag"):
        replay(tmp_path / "run", [], quiet)
