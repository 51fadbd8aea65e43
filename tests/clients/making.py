"""An environment for each client, made with the set-up's own uv from the locked versions."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from scripts import setup

ROOT = Path(__file__).resolve().parent.parent.parent
LOCKED = Path(__file__).with_name("locked")
CACHE = ROOT / ".cache" / "clients"
CLIENTS = ("data-diff", "datafold-sdk")


def python_of(name: str) -> Path:
    """Give the Python of a client's environment, made by another process if it is not there."""
    if not _done(name).exists():
        subprocess.run([sys.executable, "-m", "tests.clients", name], cwd=ROOT, check=True)
    return _folder(name) / "bin" / "python"


def make(names: tuple[str, ...]) -> None:
    """Make what is missing; one process at a time. Sets this process's environment for uv."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [name for name in names if not _done(name).exists()]
        if missing:
            index = setup.configured_index()
            setup.set_environment(index)
            uv = setup.find_uv() or setup.get_uv(index or setup.locked_index())
            for name in missing:
                _make(uv, name)


def _make(uv: str, name: str) -> None:
    print(f"installing {name}, to test with", flush=True)
    for old in CACHE.glob(f"{name}-????????????"):
        shutil.rmtree(old)
    folder = str(_folder(name))
    setup.run(uv, "venv", "-q", "--clear", "--python", sys.executable, folder)
    setup.run(
        uv, "pip", "sync", "-q", "--python", f"{folder}/bin/python",
        "--build-constraints", str(LOCKED / "build.txt"), str(_lock(name)),
    )  # fmt: skip
    _done(name).touch()


def _lock(name: str) -> Path:
    return LOCKED / f"{name}.txt"


def _folder(name: str) -> Path:
    said = _lock(name).read_bytes() + (LOCKED / "build.txt").read_bytes() + sys.version.encode()
    return CACHE / f"{name}-{hashlib.sha256(said).hexdigest()[:12]}"


def _done(name: str) -> Path:
    return _folder(name) / "installed"
