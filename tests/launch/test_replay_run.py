"""Replays that cannot be: another camera than recorded, a bag without depth, an end that an older program wrote."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime", reason="no inference engine is installed: pip install '.[cpu]'")

from deploy.errors import BadInput
from launch.bag import BagWriter
from launch.cli import main
from launch.config import load_config, to_yaml
from launch.recording import CONFIG, END, LEDGER, End
from launch.replay_run import replay
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
    outcome, _, _ = replay(bag, ["localize.require_depth=false"], quiet)
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
    outcome, _, _ = replay(run, ["seed=1"], quiet)
    assert outcome.extra["identical"] is None
