"""No room for what spills: `spill_full`, and nothing left where it was."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.faults.command import COMMAND, Ran

MEGABYTE = 2**20


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Write two files whose rows all differ and are more than the spill may hold."""
    folder = tmp_path_factory.mktemp("wide")
    paths = folder / "l.parquet", folder / "r.parquet"
    for path, salt in zip(paths, ("a", "b"), strict=True):
        duckdb.sql(
            f"select range::varchar as id, md5(range || '{salt}') || md5(range || 'x{salt}') as v"
            " from range(1500000)"
        ).write_parquet(str(path))
    return paths


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 24 MB, where this user may."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("mounting needs root; RLIMIT_FSIZE shows the same")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _run(pair: tuple[Path, Path], folder: Path, limit: int | None = None) -> Ran:
    def preexec() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [str(COMMAND), "diff", *map(str, pair), "-k", "id"],
        env={**os.environ, "WEIGHBRIDGE_TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=100,
        preexec_fn=preexec,
        check=False,
    )
    left = tuple(p.name for p in folder.rglob("*"))
    return Ran(done.returncode, done.stdout, done.stderr, 0, left)


def test_small_disk(pair: tuple[Path, Path], small_disk: Path) -> None:
    _run(pair, small_disk).is_error("spill_full", 4, "WEIGHBRIDGE_TMPDIR")


def test_largest_file(pair: tuple[Path, Path], tmp_path: Path) -> None:
    _run(pair, tmp_path, 16 * MEGABYTE).is_error("spill_full", 4, "WEIGHBRIDGE_TMPDIR")


def test_no_folder(pair: tuple[Path, Path], tmp_path: Path) -> None:
    _run(pair, tmp_path / "missing").is_error("bad_argument", 2, "WEIGHBRIDGE_TMPDIR")
