"""Arguments of every command, and errors turned into one line and an exit code."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Sequence

from launch.cli.arm_commands import add_arm_commands
from launch.cli.model_commands import add_model_commands
from launch.cli.policy_commands import add_policy_commands
from launch.cli.tracking_commands import add_tracking_commands
from launch.cli.values import at_least, fraction

EPILOG = (
    "exit codes: 0 done, 1 the task failed (replay: not identical; report --fail-on-miss: contract broken; quantize, "
    "build: refused by the gate; export: not what the framework computes), 2 the "
    "command or its input is wrong, 3 hardware or a dependency is missing, 70 a mistake of eyehand's own (please "
    "report it), 130 interrupted, 141 no reader"
)


def parser() -> argparse.ArgumentParser:
    """The argument parser of `eyehand`."""
    root = argparse.ArgumentParser(
        prog="eyehand",
        description="Perception to control in real time: RGB-D frames in, arm commands out, no millisecond lost.",
        epilog=EPILOG,
    )
    root.add_argument("--version", action="store_true", help="print the version and exit")
    commands = root.add_subparsers(dest="command", metavar="COMMAND")

    run = commands.add_parser("run", help="run the pipeline: on the robot, or in simulation", epilog=EPILOG)
    run.add_argument("config", nargs="?", default="sim_pick_place", metavar="CONFIG", help="file or packaged name")
    _settings(run)
    run.add_argument("--episodes", type=at_least(1), metavar="N", help="episodes to run")
    run.add_argument("--seed", type=at_least(0), metavar="N", help="seed of the first scene")
    run.add_argument("--clock", choices=("virtual", "wall"), help="simulated time, or real time")
    run.add_argument(
        "--profile", metavar="NAME", help="latency profile of the virtual clock: a name, a file or 'measured'"
    )
    run.add_argument(
        "--min-success", type=fraction, default=0.9, metavar="RATE", help="exit 1 below this success rate (0.9)"
    )
    _output(run, "folder of the new run (default: runs/NAME-TIME)")

    replay = commands.add_parser("replay", help="run a recording through the pipeline again", epilog=EPILOG)
    replay.add_argument("recording", metavar="RUN_OR_BAG", help="run folder, .mcap, rosbag2 folder, .db3 or ROS 1 .bag")
    _settings(replay)
    _output(replay, "folder for the replay's summary")

    report = commands.add_parser("report", help="where the milliseconds of a run went", epilog=EPILOG)
    report.add_argument("run", metavar="RUN", help="run folder")
    report.add_argument(
        "--modelled", action="store_true", help="stage durations of the latency profile, not the measured ones"
    )
    report.add_argument("--html", metavar="FILE", help="write a page for the browser")
    report.add_argument("--trace", metavar="FILE", help="write a trace for ui.perfetto.dev (.json or .json.gz)")
    report.add_argument("--profile-out", metavar="FILE", help="write a latency profile made of what was measured")
    report.add_argument("--fail-on-miss", action="store_true", help="exit 1 when the budget's contract was broken")
    report.add_argument("--json", action="store_true", help="print one JSON object")

    what_if = commands.add_parser(
        "what-if", help="run a recorded run again under another machine's timing, and compare", epilog=EPILOG
    )
    what_if.add_argument("run", metavar="RUN", help="run folder")
    what_if.add_argument("--profile", metavar="NAME", help="latency profile: a name or a file (default: the run's own)")
    what_if.add_argument(
        "--add", action="append", default=[], metavar="STAGE=TIME", dest="additions",
        help="add to a stage's duration, for example detect=40ms; may be repeated",
    )  # fmt: skip
    _output(what_if, "folder of the new run (default: kept nowhere)")

    reset = commands.add_parser("reset", help="let go of a latched safe stop, once its cause is gone", epilog=EPILOG)
    reset.add_argument("run", metavar="RUN", help="folder of the run that is going on")

    record = commands.add_parser(
        "record", help="record the cameras of a configuration to a bag, without an arm", epilog=EPILOG
    )
    record.add_argument("config", metavar="CONFIG", help="file or packaged name")
    _settings(record)
    record.add_argument("--frames", type=at_least(1), metavar="N", help="stop after N frames of each camera")
    _output(record, "folder of the new bag (default: runs/NAME-TIME)")

    validate = commands.add_parser("validate", help="check a configuration without running it", epilog=EPILOG)
    validate.add_argument("config", metavar="CONFIG", help="file or packaged name")
    _settings(validate)

    repair = commands.add_parser("repair", help="complete the bag of a run that was killed", epilog=EPILOG)
    repair.add_argument("bag", metavar="RUN_OR_MCAP", help="run folder or .mcap file; it is changed in place")

    doctor = commands.add_parser(
        "doctor", help="what this machine has, and what to do about what it lacks", epilog=EPILOG
    )
    doctor.add_argument("--json", action="store_true", help="print one JSON object")

    add_model_commands(commands, EPILOG)
    add_policy_commands(commands, EPILOG)
    add_tracking_commands(commands, EPILOG)
    add_arm_commands(commands, EPILOG)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code.
    """
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()  # a reader that went away shows here, and not as a traceback at the interpreter's end
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as a process that SIGPIPE ended


def _run(arguments: Sequence[str] | None) -> int:
    options = parser().parse_args(arguments)
    if options.version:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"eyehand {version('eyehand')}")  # noqa: T201 - the command's output
        except PackageNotFoundError:
            return _fail("is not installed, this is a checkout: pip install -e '.[cpu,sim]'", 3)
        return 0
    if options.command is None:
        parser().print_help()
        return 2
    from deploy.errors import EyehandError

    try:
        return _dispatch(options)
    except EyehandError as error:
        return _fail(str(error), error.exit_code)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except OSError as error:
        return _fail(f"{error.strerror or error}: {error.filename}" if error.filename else str(error), 2)
    except Exception:  # not 1: that says that the task failed
        traceback.print_exc()
        return 70  # EX_SOFTWARE


def _dispatch(options: argparse.Namespace) -> int:
    """Each command is a module of its name; only that one is imported."""
    command = importlib.import_module(f"launch.cli.{options.command.replace('-', '_')}")
    code: int = command.execute(options)
    return code


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"eyehand: {' '.join(message.split())}\n")
    return code


def _settings(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--set", action="append", default=[], metavar="K=V", dest="assignments",
        help="change a key of the configuration, for example detector.confidence=0.4; may be repeated",
    )  # fmt: skip


def _output(command: argparse.ArgumentParser, help_text: str) -> None:
    command.add_argument("--out", metavar="DIR", help=help_text)
    command.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
