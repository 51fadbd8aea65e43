"""Make `.venv` from the lock file with nothing but python3: only the standard library is imported.

uv comes from the PATH, else from pip, else from pip's own wheel (Debian ships python3 without pip).
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
LOCAL_UV = CACHE / "uv"
UV = "uv>=0.9,<1"
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# Where `.venv` lies and what runs in it is decided here, not by the shell that calls.
OUTER = {"VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "PYTHONHOME", "PYTHONPATH"}


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts an older one must be told
        stop("Python 3.11 or newer is needed", "put its python3 first on the PATH")
    CACHE.mkdir(exist_ok=True)
    index = configured_index()
    set_environment(index)
    uv = find_uv() or get_uv(index or locked_index())
    if index is None:
        run(uv, "sync", "--frozen", "--all-extras", "--python", sys.executable)
    else:
        install_through_index(uv)
    print("ready: .venv/bin/weighbridge")


def install_through_index(uv: str) -> None:
    """Ask another index for the locked versions by name and hash.

    The lock file's addresses are those of the public index, which this machine may not reach.
    """
    wanted = str(CACHE / "requirements.txt")
    run(uv, "export", "-q", "--frozen", "--all-extras", "--no-emit-project", "-o", wanted)
    run(uv, "venv", "-q", "--allow-existing", "--python", sys.executable, ".venv")
    run(uv, "pip", "sync", "--require-hashes", wanted)
    run(uv, "pip", "install", "--no-deps", "--editable", ".")


def configured_index() -> str | None:
    """Find the package index that this machine is set to: uv's variables, pip's, pip's files."""
    for variable in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if os.environ.get(variable):
            return os.environ[variable]
    files = configparser.RawConfigParser()
    home = Path.home()
    own = os.environ.get("PIP_CONFIG_FILE", os.devnull)
    files.read(["/etc/pip.conf", home / ".pip/pip.conf", home / ".config/pip/pip.conf", own])
    return files.get("global", "index-url", fallback=None)


def locked_index() -> str:
    """Read the public index from the lock file, the one place that names it."""
    import tomllib  # noqa: PLC0415 - not before main() has looked at the version

    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return next(p["source"]["registry"] for p in packages if "registry" in p["source"])


def set_environment(index: str | None) -> None:
    """Let pip, uv and urllib see the same index and the same trusted certificates."""
    for variable in OUTER:
        os.environ.pop(variable, None)
    os.environ["UV_PYTHON_DOWNLOADS"] = "never"
    # Half a second of every first start, and of each one where Python may not write.
    os.environ["UV_COMPILE_BYTECODE"] = "1"
    if index is not None:
        os.environ["UV_DEFAULT_INDEX"] = os.environ["PIP_INDEX_URL"] = index
    if os.environ.get("PIP_CERT"):
        os.environ.setdefault("SSL_CERT_FILE", os.environ["PIP_CERT"])
    elif SYSTEM_CERTIFICATES.exists():  # a company's proxy is known there, and not to uv's own list
        os.environ.setdefault("SSL_CERT_FILE", str(SYSTEM_CERTIFICATES))


def find_uv() -> str | None:
    return shutil.which("uv") or shutil.which("uv", path=str(LOCAL_UV / "bin"))


def get_uv(index: str) -> str:
    print(f"fetching {UV} into {LOCAL_UV.relative_to(ROOT)}", flush=True)
    # --target keeps out of the system's own packages, which Debian closes to pip.
    run(
        *get_pip(index),
        "install",
        "-q",
        "--disable-pip-version-check",
        "--upgrade",
        "--target",
        str(LOCAL_UV),
        UV,
    )
    return find_uv() or stop(f"pip put no uv into {LOCAL_UV / 'bin'}", "install uv by hand")


def get_pip(index: str) -> list[str]:
    installed = [sys.executable, "-m", "pip"]
    if works(*installed, "--version"):
        return installed
    try:
        return [sys.executable, str(fetch_pip_wheel(index) / "pip")]
    except (urllib.error.URLError, ValueError, KeyError) as reason:
        # For example a machine without ca-certificates: no address can be trusted, but apt's can.
        if os.geteuid() == 0 and shutil.which("apt-get"):
            run("apt-get", "-qq", "update")
            run(
                "apt-get",
                "-qq",
                "install",
                "-y",
                "--no-install-recommends",
                "python3-pip",
                "ca-certificates",
            )
            return ["/usr/bin/python3", "-m", "pip"]
        stop(f"pip could not be fetched: {reason}", "install python3-pip or uv")


def fetch_pip_wheel(index: str) -> Path:
    """Fetch pip's newest wheel: python3 runs it as it is, where there is neither pip nor ensurepip."""
    page = f"{index.rstrip('/')}/pip/"
    files = json.loads(fetch(page, accept="application/vnd.pypi.simple.v1+json"))["files"]
    wheels = [
        f for f in files if f["filename"].endswith("-py3-none-any.whl") and not f.get("yanked")
    ]
    newest = max(wheels, key=lambda f: version(f["filename"]))
    body = fetch(urllib.parse.urljoin(page, newest["url"]))
    if hashlib.sha256(body).hexdigest() != newest["hashes"]["sha256"]:
        raise ValueError("its wheel does not have the hash that its index states")
    wheel = CACHE / newest["filename"]
    wheel.write_bytes(body)
    return wheel


def fetch(address: str, *, accept: str = "*/*") -> bytes:
    request = urllib.request.Request(address, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def version(wheel: str) -> tuple[int, ...]:
    """Give a wheel's version as numbers, for the newest; a pre-release comes last."""
    parts = wheel.split("-")[1].split(".")
    return tuple(map(int, parts)) if all(map(str.isdigit, parts)) else ()


def works(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def run(*command: str) -> None:
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    if status != 0:
        stop(f"status {status} from: {' '.join(command)}", "the lines above say why")


def stop(what: str, next_step: str) -> NoReturn:
    sys.exit(f"set-up stopped: {what}\n  next: {next_step}, then `make setup` again")


if __name__ == "__main__":
    main()
