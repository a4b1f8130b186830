"""The door of the command line: it opens beside a ROS 2, quickly, and a user's mistake is one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import eyehand
from launch.cli import main

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(sys.executable).with_name("eyehand")
HEAVY = ("numpy", "cv2", "scipy", "mujoco", "onnxruntime", "pydantic", "rich", "yaml", "torch", "rosbags", "ruckig")


def run(
    *command: str, path: Path | None = None, cwd: Path | None = None, home: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if home is not None:
        environment["HOME"] = str(home)
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=120, check=False
    )  # fmt: skip


DOORS = {
    "console script": [str(SCRIPT)],
    "file": [sys.executable, str(ROOT / "eyehand.py")],
    "module": [sys.executable, "-c", "import sys, eyehand; sys.argv[0] = 'eyehand'; sys.exit(eyehand.main())"],
}


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> list[str]:
    if request.param == "console script" and not SCRIPT.is_file():
        pytest.skip("eyehand is not installed in this Python: there is no console script")
    return DOORS[request.param]


@pytest.fixture
def decoys(tmp_path: Path) -> Path:
    """Packages of other people under two of our names, as a sourced ROS 2 brings one."""
    for name in ("launch", "perception"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise RuntimeError('the {name} of somebody else')\n")
    if not SCRIPT.is_file():  # not installed: the module still has to be found, after the decoys
        (tmp_path / "eyehand.py").symlink_to(ROOT / "eyehand.py")
    return tmp_path


def test_decoys_would_be_imported(decoys: Path) -> None:
    done = run(sys.executable, "-c", "import launch", path=decoys, cwd=decoys.parent)
    assert "the launch of somebody else" in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["validate", "nosuch"]], ids=lambda arguments: arguments[0])
def test_it_starts_beside_packages_of_the_same_names(door: list[str], decoys: Path, arguments: list[str]) -> None:
    done = run(*door, *arguments, path=decoys, cwd=decoys.parent)
    assert "somebody else" not in done.stderr
    if arguments == ["--help"]:
        assert (done.returncode, done.stderr) == (0, "")
        assert "doctor" in done.stdout
    else:
        assert done.returncode == 2
        assert "'nosuch' not found" in done.stderr


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys, eyehand
sys.argv = ["eyehand", "--help"]
try:
    eyehand.main()
except SystemExit:
    pass
print("loaded:", *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = run(sys.executable, "-c", code, path=ROOT)
    assert done.stderr.strip() == "loaded:"


COMMANDS = ("run", "replay", "report", "record", "repair", "validate", "doctor", "train")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert f"eyehand {command}" in capsys.readouterr().out


def test_without_arguments_it_shows_help_and_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, _ = capsys.readouterr()
    assert all(command in out for command in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("eyehand 0.")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--nonsense"], "--nonsense"),
        (["fly"], "'fly'"),
        (["run", "--nonsense"], "--nonsense"),
        (["run", "--episodes", "0"], "whole number >= 1 value: '0'"),
        (["run", "--episodes", "x"], "whole number >= 1 value: 'x'"),
        (["run", "--seed", "-1"], "whole number >= 0 value: '-1'"),
        (["run", "--min-success", "1.5"], "1.5 is not between 0 and 1"),
        (["run", "--clock", "sundial"], "'sundial'"),
        (["run", "--set"], "expected one argument"),
        (["validate"], "CONFIG"),
        (["replay"], "RUN_OR_BAG"),
        (["report"], "RUN"),
        (["record"], "CONFIG"),
        (["train"], "MODEL"),
        (["train", "detector"], "--out"),
        (["train", "detector", "--out", "x", "--images", "3"], "whole number >= 10 value: '3'"),
    ],
)
def test_a_wrong_command_line_exits_2(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert expected in err


@pytest.mark.parametrize(
    ("text", "assignments", "expected"),
    [
        ("name: a\nrig: sim_ur10e\nbudgte: orin_agx\n", [], "my.yaml: budgte: unknown key; did you mean budget?"),
        ("name: a\nrig: sim_ur10e\nseed: first\n", [], "my.yaml: seed: expected a whole number, found 'first'"),
        ("name: a\nrig: sim_ur10e\ntracker: {lost_ms: 5}\n", [], "did you mean lost_s? mind the unit"),
        ("name: a\nrig: sim_ur10e\ntracker: {lost_s: 5 s}\n", [], "expected a plain number in seconds, found '5 s'"),
        ("name: [a\n", [], "my.yaml: not valid YAML: line 2, column 1"),
        ("- a\n", [], "my.yaml: expected a mapping"),
        (None, [], "not found here or among the packaged ones"),
        ("name: a\nrig: nosuch\n", [], "rig 'nosuch' not found"),
        ("name: a\nrig: sim_ur10e\n", ["seed"], "--set 'seed': expected key.path=value"),
        ("name: a\nrig: sim_ur10e\n", ["seed=\n: ["], "the value is not valid YAML"),
        ("name: a\nrig: sim_ur10e\n", ["detector.model=no such\nmodel"], "no such model"),
        ("name: a\nrig: sim_ur10e\n", ["detector.model=no/such.onnx"], "no/such.onnx does not exist"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_one_line_and_exits_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, assignments: list[str], expected: str
) -> None:
    path = tmp_path / "my.yaml"
    if text is not None:
        path.write_text(text)
    assert main(["validate", str(path), *[part for item in assignments for part in ("--set", item)]]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("eyehand: ")
    assert err.count("\n") == 1
    assert expected in err


def test_a_mistake_of_our_own_is_not_a_failed_task(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_options: object) -> int:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("launch.cli.validate.execute", broken)
    assert main(["validate", "sim_pick_place"]) == 70
    assert "ZeroDivisionError: ours" in capsys.readouterr().err


@pytest.mark.parametrize(("identical", "code"), [(True, 0), (None, 0), (False, 1)])
def test_a_replay_that_differs_exits_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], identical: bool | None, code: int
) -> None:
    from launch.session import RunResult

    outcome = RunResult(None, 1, None, 1, 0, 1, "", extra={"identical": identical})
    monkeypatch.setattr("launch.cli.replay.replay", lambda *_: (outcome, None))
    assert main(["replay", "run", "--json"]) == code
    assert '"identical"' in capsys.readouterr().out


def test_an_unreadable_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(tmp_path / ("x" * 300))]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_interruption_while_it_still_imports_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("launch.cli.main", interrupt)
    monkeypatch.setattr(sys, "meta_path", [eyehand.OwnPackages, *sys.meta_path])
    assert eyehand.main() == 130
    assert capsys.readouterr().err == "eyehand: interrupted\n"


def test_a_mistake_leaves_no_traceback_through_the_door(door: list[str], tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("name: a\nrig: sim_ur10e\nclock: sundial\n")
    done = run(*door, "validate", "my.yaml", path=ROOT, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "eyehand: my.yaml: clock: expected 'virtual' or 'wall', found 'sundial'\n"


@pytest.mark.parametrize("arguments", ["--help", "--version", "", "doctor --json"])
def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path, arguments: str) -> None:
    command = f"'{sys.executable}' '{ROOT / 'eyehand.py'}' {arguments} | true; exit ${{PIPESTATUS[0]}}"
    done = run("bash", "-c", command, cwd=tmp_path, home=tmp_path)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.returncode in (0, 2, 3, 141)
