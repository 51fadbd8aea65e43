"""The examples of the docs run and print what is shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.docs.examples import Folder, assert_shown, run_page, write_files
from tests.docs.pages import DOCS, PAGES, ROOT, blocks
from tests.servers.mariadb import connect

NEW_USER = ROOT / "tests/journeys/test_new_user.py"
RUN = {"console", "python"}
WITH_FILES = [
    p
    for p in PAGES
    if any(b.kind in RUN and not b.needs_servers and not b.printed_elsewhere for b in blocks(p))
]
WITH_SERVERS = [p for p in PAGES if any(b.kind in RUN and b.needs_servers for b in blocks(p))]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [p for p in WITH_FILES if p != ROOT / "README.md"], ids=name)
def test_examples_on_files(page: Path, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    write_files(page, folder, servers=False)
    assert run_page(page, folder, servers=False)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            p, marks=pytest.mark.xfail(strict=True, reason=b.gap), id=f"{name(p)}:{b.line}"
        )
        for p in PAGES
        for b in blocks(p)
        if b.gap
    ],
)
def test_gaps(page: Path, tmp_path: Path) -> None:
    """What is shown and does not run yet; when a gap closes, this fails and its comment goes."""
    folder = Folder(tmp_path)
    write_files(page, folder, servers=False)
    run_page(page, folder, servers=False, gaps=True)


@pytest.mark.parametrize("page", WITH_SERVERS, ids=name)
def test_examples_on_servers(
    page: Path, tmp_path: Path, fresh_postgres: str, fresh_mariadb: str
) -> None:
    folder = Folder(
        tmp_path,
        {
            "WEIGHBRIDGE_CONNECTION_SHOP": fresh_postgres,
            "WEIGHBRIDGE_CONNECTION_COPY": fresh_mariadb,
        },
    )
    write_files(page, folder, servers=True)
    with psycopg.connect(fresh_postgres, autocommit=True) as left:
        left.execute((tmp_path / "shop.sql").read_text(encoding="utf-8").encode())
        left.execute("analyze")
    with connect(fresh_mariadb) as right, right.cursor() as cursor:
        for statement in (tmp_path / "copy.sql").read_text(encoding="utf-8").split(";\n"):
            if statement.strip():
                cursor.execute(statement)
        right.commit()
    assert run_page(page, folder, servers=True)


def test_what_is_printed_elsewhere_names_its_test() -> None:
    """A block that no test of this file runs says which one does; that one reads it by this note."""
    notes = {b.note for p in PAGES for b in blocks(p) if b.printed_elsewhere}
    assert notes == {"printed by: make demo", f"printed by: {NEW_USER.relative_to(ROOT)}"}
    assert NEW_USER.exists()


@pytest.mark.server
def test_the_readme_shows_the_demo() -> None:
    """The README's diff is the demo's: this runs it as `make demo` does."""
    ended = subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    shown = next(b for b in blocks(ROOT / "README.md") if b.note == "printed by: make demo")
    lines = shown.text.splitlines()
    assert lines[0].startswith("$ ")
    assert_shown("\n".join(["…", *lines[1:]]), ended.stdout, "README.md")


def test_the_readme_python_runs(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    write_files(DOCS / "start.md", folder, servers=False)
    assert run_page(ROOT / "README.md", folder, servers=False)
