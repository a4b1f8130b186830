"""The operator's reset through the run's folder: what each side sees of the other."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.errors import BadInput, Missing
from launch import operator_desk
from launch.cli import main
from launch.operator_desk import LATCHED, RESET, SUMMARY, OperatorDesk, ask_for_reset

WHY = "safe stop at 4.20 s: the photons are too old: 4001 ms, limit 4000 ms"


@pytest.fixture
def desk(tmp_path: Path) -> OperatorDesk:
    return OperatorDesk(tmp_path)


@pytest.fixture
def run_that_answers(desk: OperatorDesk) -> Iterator[list[bool]]:
    """A run that is stopped, and asks for a reset until it gets one; whether it got one."""
    got: list[bool] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.005):
            if desk.reset_wanted():
                got.append(True)
                desk.clear()

    desk.show(WHY)
    thread = threading.Thread(target=ask)
    thread.start()
    yield got
    over.set()
    thread.join()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_stop_is_shown_and_nothing_is_wanted_yet(desk: OperatorDesk, tmp_path: Path) -> None:
    desk.show(WHY)
    assert (tmp_path / LATCHED).read_text(encoding="utf-8") == f"{WHY}\n"
    assert not desk.reset_wanted()
    assert names(tmp_path) == {LATCHED}


def test_the_operator_hears_why_it_had_stopped_and_the_run_hears_of_the_reset_once(
    run_that_answers: list[bool], tmp_path: Path
) -> None:
    assert ask_for_reset(tmp_path) == WHY
    time.sleep(0.03)
    assert run_that_answers == [True]
    assert names(tmp_path) == set()
    with pytest.raises(BadInput, match="no safe stop is latched there"):
        ask_for_reset(tmp_path)


def test_a_wish_from_before_the_stop_is_void(desk: OperatorDesk, tmp_path: Path) -> None:
    (tmp_path / RESET).touch()
    desk.show(WHY)
    assert not desk.reset_wanted()


def test_a_run_that_does_not_answer(desk: OperatorDesk, tmp_path: Path) -> None:
    desk.show(WHY)
    with pytest.raises(Missing, match=r"did not take the reset in 0\.1 s: is its process alive") as caught:
        ask_for_reset(tmp_path, wait_s=0.1)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == {LATCHED}  # the wish is gone: a run that wakes up later does not let go
    assert not desk.reset_wanted()


def test_a_wish_that_nobody_waits_for_any_more_is_void(desk: OperatorDesk, tmp_path: Path) -> None:
    desk.show(WHY)
    (tmp_path / RESET).touch()
    long_ago = time.time() - 2.0 * operator_desk.ANSWER_S
    os.utime(tmp_path / RESET, (long_ago, long_ago))
    assert not desk.reset_wanted()
    assert names(tmp_path) == {LATCHED}


def test_an_operator_who_stops_waiting_leaves_no_wish(
    desk: OperatorDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_seconds: float) -> None:
        assert (tmp_path / RESET).exists()
        raise KeyboardInterrupt

    desk.show(WHY)
    monkeypatch.setattr(operator_desk.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ask_for_reset(tmp_path)
    assert names(tmp_path) == {LATCHED}


@pytest.mark.parametrize("left", [(), (LATCHED,), (RESET,), (LATCHED, RESET)])
def test_a_run_that_is_over_leaves_nothing(desk: OperatorDesk, tmp_path: Path, left: tuple[str, ...]) -> None:
    for name in left:
        (tmp_path / name).touch()
    desk.close()
    assert names(tmp_path) == set()


def test_a_wish_that_came_to_nothing_leaves_the_stop_shown(desk: OperatorDesk, tmp_path: Path) -> None:
    desk.show(WHY)
    (tmp_path / RESET).touch()
    assert desk.reset_wanted()
    assert names(tmp_path) == {LATCHED}  # until the ladder has let go: the operator can ask again
    desk.clear()
    assert names(tmp_path) == set()


def test_a_run_that_ended_meanwhile_was_not_reset(desk: OperatorDesk, tmp_path: Path) -> None:
    desk.show(WHY)

    def end() -> None:
        (tmp_path / SUMMARY).touch()
        desk.close()

    timer = threading.Timer(0.1, end)
    timer.start()
    with pytest.raises(BadInput, match="the run has ended, still stopped: safe stop at"):
        ask_for_reset(tmp_path)
    timer.join()


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_says_what_it_let_go_of(
    run_that_answers: list[bool], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reset", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"reset; it was: {WHY}\n")


@pytest.mark.parametrize("folder", ["", "absent"])
def test_nothing_to_let_go_of_is_the_users_mistake(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reset", str(tmp_path / folder)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "no safe stop is latched there; give the folder of the run that is going on" in err


def test_a_run_that_does_not_answer_is_missing(
    desk: OperatorDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    patient: Callable[..., str] = ask_for_reset
    monkeypatch.setattr("launch.cli.reset.ask_for_reset", lambda run_dir: patient(run_dir, 0.05))
    desk.show(WHY)
    assert main(["reset", str(tmp_path)]) == 3
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert str(tmp_path) in err


def test_the_operator_is_given_time() -> None:
    """The run asks a few times per second, and the arm must have come to rest."""
    assert operator_desk.ANSWER_S >= 2.0
