"""What README and docs tell people to type and to write is understood."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from launch.cli.main import parser
from launch.config.budget import BudgetConfig
from launch.config.tree import Config

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL)
LINES = [line.split("#")[0].strip() for kind, block in BLOCKS if not kind for line in block.splitlines()]
DOCS = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
LINES += [
    line.split("#")[0].strip()
    for text in DOCS.values()
    for kind, block in re.findall(r"```(\w*)\n(.*?)```", text, flags=re.DOTALL)
    if not kind
    for line in block.splitlines()
]
COMMANDS = sorted({line for line in LINES if line.startswith("eyehand ")})
# in running text; those with brackets are the grammar, not something to type
INLINE = sorted({line for text in (README, *DOCS.values()) for line in re.findall(r"`(eyehand [^`\[\n]+)`", text)})
PROSE = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TARGETS = sorted(set(re.findall(r"(?:`|^|&& )make ([a-z-]+)", PROSE, flags=re.MULTILINE)))


def test_there_is_something_to_check() -> None:
    assert len(COMMANDS) >= 3
    assert {"demo", "test", "test-pythons", "test-train"} <= set(TARGETS)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command: str) -> None:
    options = parser().parse_args(shlex.split(command)[1:])
    assert options.command


@pytest.mark.parametrize("command", INLINE)
def test_commands_in_running_text_parse(command: str) -> None:
    words = shlex.split(command)[1:]
    if len(words) == 1 or (len(words) == 2 and words[0] in ("eval", "export", "train")):  # a command's name alone
        words.append("--help")
        with pytest.raises(SystemExit) as ended:
            parser().parse_args(words)
        assert ended.value.code == 0
    else:
        assert parser().parse_args(["1" if word == "N" else word for word in words]).command


def test_the_budget_that_is_explained_is_valid() -> None:
    text = re.findall(r"```yaml\n(.*?)```", DOCS["budget.md"], flags=re.DOTALL)[0]
    budget = BudgetConfig.model_validate(yaml.safe_load(text))
    assert set(yaml.safe_load(text)) == set(BudgetConfig.model_fields)
    assert set(yaml.safe_load(text)["ladder"]) == set(type(budget.ladder).model_fields)


@pytest.mark.parametrize("target", TARGETS)
def test_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.mark.parametrize("text", [block for kind, block in BLOCKS if kind == "yaml"])
def test_configurations_are_valid(text: str) -> None:
    assert Config.model_validate(yaml.safe_load(text)).rig.cameras


LINKS = [(".", README), *(("docs", text) for text in DOCS.values())]


@pytest.mark.parametrize(
    ("folder", "link"),
    sorted({(folder, link) for folder, text in LINKS for link in re.findall(r"\]\((?!http)([^)#]+)\)", text)}),
)
def test_links_lead_somewhere(folder: str, link: str) -> None:
    assert (ROOT / folder / link).exists()
