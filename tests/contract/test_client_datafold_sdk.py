"""datafold-sdk, as it was published, against our server: its library, and its command."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.clients import Client, client
from tests.clients.dbt_project import DIFFERENT, SAME, make_project
from tests.contract.conftest import NEEDED, PAGE, Stored, figures
from tests.docs.pages import blocks

if TYPE_CHECKING:
    from subprocess import CompletedProcess

    from tests.listening import Listening

MOUNTS = ("/datafold", "/datafold/latest")
CALLS = str(Path(__file__).parent.parent / "clients" / "sdk_calls.py")


@pytest.fixture
def datafold_sdk_client(tmp_path: Path) -> Client:
    return client("datafold-sdk", tmp_path)


# The library --------------------------------------------------------------------------------


@pytest.fixture
def call(datafold_sdk_client: Client, server: Listening) -> Any:
    """Call methods of `DatafoldAPI`, one after the other; give what each gave."""

    def go(*calls: Any, mount: str = "/datafold", authorization: str | None = None) -> list[Any]:
        given = authorization or f"Key {server.house.key()}"
        headers = {"Authorization": given, "Content-Type": "application/json"}
        asked = {"host": server.address + mount, "headers": headers, "calls": calls}
        ran = datafold_sdk_client.run("python", CALLS, said=json.dumps(asked))
        assert ran.returncode == 0, ran.stderr
        return [json.loads(line) for line in ran.stdout.splitlines()]

    return go


def diff_of(source: int, url: str, **more: Any) -> dict[str, Any]:
    """Write a diff of `orders` as the library's own type does."""
    database = urlsplit(url).path.lstrip("/")
    return {
        "data_source1_id": source, "data_source2_id": source,
        "table1": [database, "prod", "orders"], "table2": [database, "dev", "orders"],
        "pk_columns": ["id"], "include_columns": [], "exclude_columns": [], **more,
    }  # fmt: skip


@pytest.mark.parametrize("mount", MOUNTS)
def test_a_diff(call: Any, stored: Stored, fresh_postgres: str, mount: str) -> None:
    source = stored(DIFFERENT)
    [number] = call(["create_data_diff", diff_of(source, fresh_postgres)], mount=mount)
    [found] = call(["poll_data_diff_results", number], mount=mount)
    assert found["status"] == "success"
    assert found["pks"] == {
        "total_rows": [100, 99], "nulls": [0, 0], "dupes": [0, 0], "exclusives": [2, 1],
        "distincts": [100, 99],
    }  # fmt: skip
    values = found["values"]
    assert (values["total_rows"], values["rows_with_differences"]) == (98, 10)
    matches = {column["column_name"]: column["match"] for column in values["columns_diff_stats"]}
    assert matches == {"status": pytest.approx(100 * 88 / 98), "total": 100.0, "code": 100.0}
    assert found["schema_"]["exclusive_columns"] == [["old_one"], ["new_one"]]
    assert found["schema_"]["column_type_differs"] == ["code"]
    # The library takes both forms; its command reads a list.
    assert found["deps"]["deps"] == ({"deps": {}} if mount == "/datafold" else [])


def test_a_diff_that_fails(call: Any, stored: Stored, fresh_postgres: str) -> None:
    wanted = diff_of(stored(SAME), fresh_postgres, pk_columns=["nothing"])
    [number] = call(["create_data_diff", wanted])
    [found] = call(["poll_data_diff_results", number])
    assert found["error"].startswith("DataDiffCloudDiffFailed: Diff failed: {'status': 'failed'")
    assert "no_such_column" in found["error"]


def test_the_example_of_the_page(
    datafold_sdk_client: Client, server: Listening, stored: Stored
) -> None:
    """The page's own words, but for the number of the data source."""
    [example] = [block.text for block in blocks(PAGE) if block.kind == "py"]
    program = example.replace("_id=1,", f"_id={stored(DIFFERENT)},")
    ran = datafold_sdk_client.run(
        "python", "-c", program, host=f"{server.address}/datafold", key=server.house.key(NEEDED)
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "only in production, only in development: (2, 1)", "rows that differ: 10",
    ]  # fmt: skip


def test_who_asks(call: Any, server: Listening) -> None:
    """The key is taken as `Key …`, as `Bearer …`, and alone; the library sends what it is given."""
    key = server.house.key()
    for given in (f"Key {key}", f"Bearer {key}", key):
        [who] = call(["get_org_meta"], authorization=given)
        assert who.keys() == {"org_id", "org_name", "user_id"}
    for wrong in ("Key wbk_production_wrong", "Bearer", f"Basic {key}"):
        answers = call(["get_org_meta"], ["get_data_sources"], authorization=wrong)
        assert [a["error"].startswith("HTTPError: 401 Client Error") for a in answers] == [True] * 2


@pytest.mark.parametrize("mount", MOUNTS)
def test_data_sources(call: Any, fresh_postgres: str, mount: str) -> None:
    parts = urlsplit(fresh_postgres)
    options = {
        "host": parts.hostname, "port": parts.port, "user": parts.username,
        "password": parts.password, "dbname": parts.path.lstrip("/"),
    }  # fmt: skip
    name = f"shop {mount}"
    wanted = {
        "name": name, "type": "pg", "temp_schema": f"{options['dbname']}.public",
        "float_tolerance": 0.000001, "options": options,
    }  # fmt: skip
    made, again, listed = call(
        ["create_data_source", wanted], ["create_data_source", wanted], ["get_data_sources"],
        mount=mount,
    )  # fmt: skip
    assert (made["name"], made["type"], made["temp_schema"]) == (name, "pg", wanted["temp_schema"])
    assert made["float_tolerance"] == 0.000001
    assert made["disable_profiling"] is made["disable_schema_indexing"] is True
    assert again["error"].startswith("HTTPError: 422 Client Error")
    assert made["id"] in [source["id"] for source in listed]
    assert options["password"] not in json.dumps(listed)
    one, none = call(["get_data_source", made["id"]], ["get_data_source", 987_654], mount=mount)
    assert one == made
    assert none["error"].startswith("DataDiffDatasourceIdNotFoundError")


def test_kinds_of_data_sources(call: Any) -> None:
    [kinds] = call(["get_data_source_schema_config"])
    found = {kind["db_type"]: kind["config_schema"] for kind in kinds}
    assert found["pg"]["required"] == ["host", "user", "port", "password", "dbname"]
    # What it requires of a PostgreSQL, it finds in our form, and it knows what to hide.
    assert set(found["pg"]["required"]) <= found["pg"]["properties"].keys()
    assert found["pg"]["secret"] == ["password"]
    assert "mysql" in found


def test_the_test_of_a_data_source(call: Any, server: Listening, stored: Stored) -> None:
    [job] = call(["test_data_source", stored(SAME)])
    end = time.monotonic() + 60
    while True:
        [found] = call(["check_data_source_test_results", job])
        done = {step["name"]: step["result"] for step in found if step["status"] == "done"}
        if {"connection", "schema_download", "temp_schema"} <= done.keys():
            break
        assert time.monotonic() < end, found
    assert done["connection"]["status"] == done["schema_download"]["status"] == "ok"
    assert done["temp_schema"]["status"] == "skip"  # none was set
    assert all(result["message"] for result in done.values())


# The command --------------------------------------------------------------------------------


@pytest.fixture
def run(datafold_sdk_client: Client, server: Listening) -> Any:
    """Run `datafold …` with a new key unless one is given."""

    def go(*words: str, cwd: Path | None = None, key: str | None = None) -> CompletedProcess[str]:
        host = f"{server.address}/datafold/latest"
        given = key or server.house.key(NEEDED)
        return datafold_sdk_client.run("datafold", *words, host=host, key=given, cwd=cwd)

    return go


def test_tables_that_differ(run: Any, stored: Stored, fresh_postgres: str, project: Path) -> None:
    made = make_project(project, fresh_postgres, source=stored(DIFFERENT))
    ran = run("diff", "dbt", cwd=made)
    assert ran.returncode == 0, ran.stderr
    assert figures(ran.stdout) == {
        "Total": ["100", "99", "[-1]"],
        "Added": ["+1"],
        "Removed": ["-2"],
        "Different": ["10"],
        "Unchanged": ["88"],
    }
    assert re.search(r"^status +10\.2%", ran.stdout, re.MULTILINE)
    assert "Columns removed [-1]: {'old_one'}" in ran.stdout
    assert "Columns added [+1]: {'new_one'}" in ran.stdout
    assert "Type changed [1]: ['code']" in ran.stdout
    assert "/datafold/latest/datadiffs/" in ran.stdout
    assert "ERROR" not in ran.stderr


def test_equal_tables(run: Any, stored: Stored, fresh_postgres: str, project: Path) -> None:
    made = make_project(project, fresh_postgres, source=stored(SAME))
    ran = run("diff", "dbt", cwd=made)
    assert ran.returncode == 0, ran.stderr
    assert "No row differences" in ran.stdout
    assert figures(ran.stdout) == {}


def test_a_table_that_is_not_there(
    run: Any, stored: Stored, fresh_postgres: str, project: Path
) -> None:
    """As data-diff does, it says so and ends with 0."""
    made = make_project(project, fresh_postgres, source=stored(SAME))
    ran = run("diff", "dbt", "--prod-schema", "nowhere", cwd=made)
    assert ran.returncode == 0
    assert "There is no table or view nowhere.orders" in ran.stderr


def test_a_model_without_a_key(
    run: Any, stored: Stored, fresh_postgres: str, project: Path
) -> None:
    made = make_project(project, fresh_postgres, source=stored(SAME), key=None)
    ran = run("diff", "dbt", cwd=made)
    assert ran.returncode == 0, ran.stderr
    assert "Skipped due to unknown primary key" in ran.stdout


def test_a_wrong_key(run: Any, fresh_postgres: str, project: Path) -> None:
    made = make_project(project, fresh_postgres, source=1)
    ran = run("diff", "dbt", cwd=made, key="wbk_production_wrong")
    assert ran.returncode == 1
    assert "401 Client Error" in ran.stderr


SHAS = ("--base-branch", "main", "--base-sha", "a1", "--pr-branch", "new", "--pr-sha", "b2")
OTHERS = {
    "artifacts of dbt": (
        "dbt", "upload", "--ci-config-id", "1", "--run-type", "production",
        "--target-folder", "target", "--commit-sha", "b2",
    ),
    "runs of a CI integration": ("ci", "trigger", "--ci-config-id", "1", "--pr-num", "7", *SHAS),
    "alerts": ("queries", "run", "--id", "3"),
    "monitors": ("monitors", "provision", "monitors.yaml"),
}  # fmt: skip


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_not_served_says_so(run: Any, tmp_path: Path, what: str) -> None:
    """Its other groups speak of things that are not here: the answer that it prints names them."""
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "manifest.json").write_text("{}")
    (tmp_path / "monitors.yaml").write_text("monitors: {orders: {type: metric}}")
    ran = run(*OTHERS[what], cwd=tmp_path)
    assert ran.returncode == 1
    said = f"{ran.stdout} {ran.stderr}"
    assert f"This server does not serve {what};" in said
    assert "404 Client Error" in said
