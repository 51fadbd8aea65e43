"""The docs name everything that there is, and nothing that there is not."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest
from typer.main import get_command

from tests.docs.pages import DOCS, PAGES, ROOT, anchors, blocks, links
from weighbridge import settings
from weighbridge.cli.app import app
from weighbridge.cli.flags import AllFlags
from weighbridge.compare.rules import PAIRINGS, RULES, find_rule
from weighbridge.connectors.registry import VENDORS
from weighbridge.connectors.sides import FILE_ENDINGS
from weighbridge.errors import WeighbridgeError


def load_maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scripts_docs", ROOT / "scripts/docs.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


maker = load_maker()
ALL = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        target, _, fragment = link.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        place = (page.parent / target).resolve() if target else page
        assert place.exists(), f"{name(page)}: {link}"
        if fragment and place.suffix == ".md":
            assert fragment in anchors(place), f"{name(page)}: {link}"


@pytest.mark.parametrize("page", sorted((DOCS / "reference").glob("*.md")), ids=name)
def test_made_parts_are_up_to_date(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert maker.refresh(text) == text, "run: python scripts/docs.py"


def test_every_part_that_can_be_made_is_in_a_page() -> None:
    used = re.findall(r"<!-- made by scripts/docs\.py: (\w+) -->", ALL)
    assert sorted(used) == sorted(maker.MAKERS)


def test_the_hand_written_tables_name_what_there_is() -> None:
    codes = {kind.code for kind in maker.error_classes()} | {"internal"}
    assert set(maker.NEXT) == codes
    assert set(maker.TRIED) == set(VENDORS)
    assert set(maker.ASKED) == set(PAIRINGS)
    paths = [path for path, _ in maker.walk(maker.Report, "")]
    assert sorted(maker.MEANINGS) == sorted(paths)


def test_every_error_is_documented() -> None:
    page = (DOCS / "reference/errors.md").read_text(encoding="utf-8")
    for kind in maker.error_classes():
        if kind is not WeighbridgeError:
            assert f"`{kind.code}`" in page
            assert kind.__name__ in page


def test_every_setting_and_variable_is_documented() -> None:
    page = (DOCS / "reference/configuration.md").read_text(encoding="utf-8")
    for setting in settings.SETTINGS:
        assert f"`{setting.variable}`" in page


def test_no_setting_is_invented() -> None:
    known = {s.variable for s in settings.SETTINGS} | {n for n, _, _ in settings.SERVER}
    known |= {f"{v}_FILE" for v in known}
    for variable in set(re.findall(r"WEIGHBRIDGE_[A-Z_]*[A-Z]", ALL)):
        assert variable in known or variable.startswith(settings.CONNECTION_PREFIX.rstrip("_")), (
            variable
        )


def test_every_scheme_and_file_ending_is_documented() -> None:
    vendors = (DOCS / "reference/vendors.md").read_text(encoding="utf-8")
    for scheme in VENDORS:
        assert f"`{scheme}`" in vendors
    files = (DOCS / "how-to/files.md").read_text(encoding="utf-8")
    for ending in FILE_ENDINGS:
        assert f"`{ending}`" in files


def commands() -> set[str]:
    found: set[str] = set()

    def walk(command: object, path: str) -> None:
        found.add(path)
        for word, sub in getattr(command, "commands", {}).items():
            walk(sub, f"{path} {word}".strip())

    walk(get_command(app), "")
    return found


def test_every_command_is_documented() -> None:
    page = (DOCS / "reference/cli.md").read_text(encoding="utf-8")
    for command in commands() - {""}:
        assert f"weighbridge {command}" in page


def options_of(command: object) -> set[str]:
    found = {o for p in getattr(command, "params", []) for o in p.opts}
    for sub in getattr(command, "commands", {}).values():
        found |= options_of(sub)
    return found


def test_no_command_or_option_is_invented() -> None:
    renamed = {"rename": "map", "json_lines": "json", "sides": "key"}
    options = {f"--{renamed.get(f.name, f.name).replace('_', '-')}" for f in fields(AllFlags)}
    options |= {
        "--no-snapshot",
        "--key-columns",
        "--update-column",
        "--help",
        "--version",
        "--origin",
    }
    options |= {"--install-completion", "--show-completion"} | options_of(get_command(app))
    ours = [p for p in PAGES if p.name != "CONTRIBUTING.md"]
    for page in ours:
        text = page.read_text(encoding="utf-8")
        for line in text.splitlines():
            for word in re.findall(r"weighbridge (\w+) ", line) if "$ " in line else []:
                assert any(c.split(" ")[0] == word for c in commands() if c), (
                    f"{name(page)}: {line}"
                )
            if "weighbridge diff" in line or line.lstrip().startswith("`--") or "`--" in line:
                for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", line):
                    theirs = {"--check", "--quick", "--rows", "--target"}
                    assert option in options | theirs, f"{name(page)}: {option}"


def test_no_rule_is_invented() -> None:
    for listed in re.findall(r"--rule \w+=([\w,:-]+)", ALL):
        for rule in listed.split(","):
            if rule.lower() not in PAIRINGS | {"rule"}:
                find_rule(rule)
    page = (DOCS / "reference/rules.md").read_text(encoding="utf-8")
    for rule in (*RULES, *PAIRINGS, "round:2", "truncate:2"):
        assert f"`{rule}`" in page


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r"[\w./-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert listed == there


def test_python_blocks_that_run_have_no_machine_paths() -> None:
    for page in PAGES:
        for block in blocks(page):
            assert not re.search(r"(^|[\s'\"=])/(home|root|work|tmp)/", block.text), (
                f"{name(page)}:{block.line}"
            )
