"""How a running process and its operator talk through the run's folder: a safe stop is shown, and reset."""

from __future__ import annotations

import time
from pathlib import Path

from deploy.errors import BadInput, Missing

LATCHED, RESET, SUMMARY = "safe_stop", "reset", "summary.json"
ANSWER_S = 5.0


class OperatorDesk:
    """The run's side.

    A file shows that the safe stop is latched, another asks for the reset: both survive a lost terminal, and a remote
    shell is enough to use them.

    Args:
        run_dir: Folder of the run.
    """

    def __init__(self, run_dir: Path) -> None:
        self._latched, self._reset = run_dir / LATCHED, run_dir / RESET

    def show(self, sentence: str) -> None:
        """Show why the safe stop is latched."""
        self._reset.unlink(missing_ok=True)
        self._latched.write_text(f"{sentence}\n", encoding="utf-8")

    def reset_wanted(self) -> bool:
        """Whether the operator wants the safe stop to be let go; asking takes the wish away.

        A wish that nobody can be waiting for any more is void: an arm must not move long after it was asked to.
        """
        try:
            age_s = time.time() - self._reset.stat().st_mtime
        except OSError:
            return False
        self._reset.unlink(missing_ok=True)
        return abs(age_s) <= ANSWER_S

    def clear(self) -> None:
        """No safe stop is latched (any more): that is the operator's answer."""
        self._latched.unlink(missing_ok=True)

    def close(self) -> None:
        """The run is over: nothing is left to be reset."""
        self._reset.unlink(missing_ok=True)
        self._latched.unlink(missing_ok=True)


def ask_for_reset(run_dir: Path, wait_s: float = ANSWER_S) -> str:
    """The operator's side: let go of a latched safe stop.

    Returns:
        Why it was latched.

    Raises:
        BadInput: If no safe stop is latched there.
        Missing: If the run does not answer.
    """
    latched = run_dir / LATCHED
    try:
        sentence = latched.read_text(encoding="utf-8").strip()
    except OSError:
        raise BadInput(
            f"{run_dir}: no safe stop is latched there; give the folder of the run that is going on"
        ) from None
    deadline = time.monotonic() + wait_s
    try:
        (run_dir / RESET).touch()
        while latched.exists() or (run_dir / RESET).exists():
            if time.monotonic() > deadline:
                raise Missing(
                    f"{run_dir}: the run did not take the reset in {wait_s:g} s: "
                    "is its process alive, does the arm rest? An arm that has to be connected anew takes longer: "
                    "reset once more"
                )
            time.sleep(0.05)
    finally:  # whoever gave up waiting, also by Ctrl-C, does not want the arm to move later
        (run_dir / RESET).unlink(missing_ok=True)
    if (run_dir / SUMMARY).exists():
        raise BadInput(f"{run_dir}: the run has ended, still stopped: {sentence}")
    return sentence
