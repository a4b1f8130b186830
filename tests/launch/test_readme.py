"""What the README tells people to type and to write is understood."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from launch.cli.main import parser
from launch.config.tree import Config

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL)
LINES = [line.split("#")[0].strip() for kind, block in BLOCKS if not kind for line in block.splitlines()]
COMMANDS = [line for line in LINES if line.startswith("eyehand ")]
PROSE = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TARGETS = sorted(set(re.findall(r"(?:`|^|&& )make ([a-z-]+)", PROSE, flags=re.MULTILINE)))


def test_there_is_something_to_check() -> None:
    assert len(COMMANDS) >= 3
    assert {"demo", "test", "test-pythons", "test-train"} <= set(TARGETS)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command: str) -> None:
    options = parser().parse_args(shlex.split(command)[1:])
    assert options.command in {"run", "replay", "report", "record", "repair", "validate", "doctor", "train"}


@pytest.mark.parametrize("target", TARGETS)
def test_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.mark.parametrize("text", [block for kind, block in BLOCKS if kind == "yaml"])
def test_configurations_are_valid(text: str) -> None:
    assert Config.model_validate(yaml.safe_load(text)).rig.cameras


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README))))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
