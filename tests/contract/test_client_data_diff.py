"""`data-diff --dbt --cloud`, as it was published, against our server: what it prints and how it ends."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from packaging.requirements import Requirement

from tests.clients import Client, client
from tests.clients.dbt_project import DIFFERENT, SAME, make_project
from tests.clients.making import CLIENTS, LOCKED
from tests.contract.conftest import NEEDED, PAGE, Stored, figures
from tests.docs.pages import blocks

if TYPE_CHECKING:
    from subprocess import CompletedProcess

    from tests.listening import Listening

COMMAND = ("data-diff", "--no-tracking", "--dbt", "--cloud")


@pytest.fixture
def data_diff_client(tmp_path: Path) -> Client:
    return client("data-diff", tmp_path)


@pytest.fixture
def run(data_diff_client: Client, server: Listening) -> Any:
    """Run the command in a project, with a new key unless one is given."""

    def go(project: Path, *more: str, key: str | None = None) -> CompletedProcess[str]:
        host = f"{server.address}/datafold"
        given = key or server.house.key(NEEDED)
        return data_diff_client.run(*COMMAND, *more, host=host, key=given, cwd=project)

    return go


def test_tables_that_differ(run: Any, stored: Stored, fresh_postgres: str, project: Path) -> None:
    ran = run(make_project(project, fresh_postgres, source=stored(DIFFERENT)))
    assert ran.returncode == 0, ran.stderr
    assert figures(ran.stdout) == {
        "Total": ["100", "99", "[-1]"],
        "Added": ["+1"],
        "Removed": ["-2"],
        "Different": ["10"],
        "Unchanged": ["88"],
    }
    # 10 of the 98 rows that both have.
    assert re.search(r"^status +10\.2%", ran.stdout, re.MULTILINE)
    assert "total" not in ran.stdout
    assert "Primary Keys: ['id']" in ran.stdout
    assert "Columns removed [-1]: {'old_one'}" in ran.stdout
    assert "Columns added [+1]: {'new_one'}" in ran.stdout
    assert "Type changed [1]: ['code']" in ran.stdout
    assert "Traceback" not in ran.stderr
    # The page shows what is printed.
    [shown] = [block.text for block in blocks(PAGE) if block.kind == "text"]
    printed = [line.rstrip() for line in ran.stdout.splitlines()]
    assert [line for line in shown.splitlines() if line not in printed] == []


def test_the_page_names_what_is_tested() -> None:
    """The versions that the page tells to install are those that the tests have."""
    for name in CLIENTS:
        lock = (LOCKED / f"{name}.txt").read_text()
        [line] = [
            line for block in blocks(PAGE) for line in block.text.splitlines()
            if line.startswith(f"pip install '{name}==")
        ]  # fmt: skip
        asked = [Requirement(word) for word in shlex.split(line)[2:]]
        had = dict(one.split(" ")[0].split("==") for one in lock.splitlines())
        assert [one.name for one in asked if not one.specifier.contains(had[one.name])] == []


def test_the_page_that_it_prints(
    run: Any, server: Listening, stored: Stored, fresh_postgres: str, project: Path
) -> None:
    """The address at the end of its words is not a dead one: a browser asks for the key there."""
    ran = run(make_project(project, fresh_postgres, source=stored(DIFFERENT)))
    address = re.findall(r"http://\S+/overview", ran.stdout)[-1]
    asked = Request(address, headers={"Authorization": f"Bearer {server.house.key()}"})  # noqa: S310 ours
    with urlopen(asked, timeout=20) as answer:  # noqa: S310 ours
        page = answer.read().decode()
    assert "13 of" in page or "10 " in page
    assert "prod.orders" in page
    assert "dev.orders" in page


def test_equal_tables(run: Any, stored: Stored, fresh_postgres: str, project: Path) -> None:
    ran = run(make_project(project, fresh_postgres, source=stored(SAME)))
    assert ran.returncode == 0, ran.stderr
    assert "No row differences" in ran.stdout
    assert figures(ran.stdout) == {}


def test_filter_and_columns_of_the_model(
    run: Any, stored: Stored, fresh_postgres: str, project: Path
) -> None:
    meta = {"filter": "id > 50", "exclude_columns": ["status"]}
    ran = run(make_project(project, fresh_postgres, source=stored(DIFFERENT), meta=meta))
    assert "Where Filter: 'id > 50'" in ran.stdout
    assert "Excluded Columns: ['status']" in ran.stdout
    assert figures(ran.stdout)["Total"] == ["50", "51", "[+1]"]
    assert figures(ran.stdout)["Different"] == ["0"]


def test_a_table_that_is_not_there(
    run: Any, stored: Stored, fresh_postgres: str, project: Path
) -> None:
    """The client says why in our words, and ends with 0: it does so for every failed diff."""
    made = make_project(project, fresh_postgres, source=stored(DIFFERENT))
    ran = run(made, "--prod-schema", "nowhere")
    assert ran.returncode == 0, ran.stderr
    said = " ".join(ran.stdout.split())
    assert "Diff failed" in said
    assert "'error_type': 'no_such_table'" in said
    assert "There is no table or view nowhere.orders" in said
    assert "/overview" in said


def test_a_model_without_a_key(
    run: Any, server: Listening, stored: Stored, fresh_postgres: str, project: Path
) -> None:
    before = server.house.client().get("/datadiffs").json()["count"]
    ran = run(make_project(project, fresh_postgres, source=stored(SAME), key=None))
    assert ran.returncode == 0, ran.stderr
    assert "Skipped due to unknown primary key" in ran.stdout
    assert server.house.client().get("/datadiffs").json()["count"] == before


def test_a_key_column_that_is_not_there(
    run: Any, server: Listening, stored: Stored, fresh_postgres: str, project: Path
) -> None:
    """The model calls `status` its key, and one side has none of that name."""
    source = stored(f"{SAME} alter table dev.orders rename status to state;")
    ran = run(make_project(project, fresh_postgres, source=source, key="status"))
    assert ran.returncode == 0, ran.stderr
    assert "Diff failed" in ran.stdout
    assert "'no_such_column'" in " ".join(ran.stdout.split())


def test_a_wrong_key(run: Any, stored: Stored, fresh_postgres: str, project: Path) -> None:
    made = make_project(project, fresh_postgres, source=stored(SAME))
    ran = run(made, key="wbk_production_wrong")
    assert ran.returncode == 1
    assert "401 Client Error" in ran.stderr


def test_a_key_that_may_not_ask_for_diffs(
    run: Any, server: Listening, stored: Stored, fresh_postgres: str, project: Path
) -> None:
    made = make_project(project, fresh_postgres, source=stored(SAME))
    ran = run(made, key=server.house.key(["diffs:read", "connections:read"]))
    assert ran.returncode == 0  # its way with whatever goes wrong in a diff
    assert "403 Client Error" in " ".join(ran.stdout.split())


def test_no_data_source_is_named(
    run: Any, stored: Stored, fresh_postgres: str, project: Path
) -> None:
    """The key was good: the client asked who it is before it looked for the number."""
    stored(SAME)
    ran = run(make_project(project, fresh_postgres, source=None))
    assert ran.returncode == 1
    assert "Data source ID not found in dbt_project.yml" in ran.stdout


def test_a_data_source_that_is_not_there(run: Any, fresh_postgres: str, project: Path) -> None:
    ran = run(make_project(project, fresh_postgres, source=987_654_321))
    assert ran.returncode == 1
    assert "Datasource ID: 987654321 was not found" in ran.stderr


# What its library asks a person, to find or make a data source -------------------------------

ASK = """
import os
from data_diff.cloud import DatafoldAPI, get_or_create_data_source
api = DatafoldAPI(api_key=os.environ["DATAFOLD_API_KEY"], host=os.environ["DATAFOLD_HOST"])
print("the number is", get_or_create_data_source(api))
"""


def answered(client: Client, server: Listening, *answers: str) -> str:
    """Let the library ask; give all that it says."""
    ran = client.run(
        "python", "-c", ASK,
        host=f"{server.address}/datafold", key=server.house.key(), said="\n".join(answers) + "\n",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_data_source_is_chosen(
    data_diff_client: Client, server: Listening, stored: Stored, fresh_postgres: str
) -> None:
    number = stored(SAME)
    said = answered(data_diff_client, server, "1", fresh_postgres.rpartition("/")[2], "y")
    assert re.search(r"1\W+PostgreSQL", said)
    assert "Found existing data source" in said
    assert f"the number is {number}" in said


def test_a_data_source_is_made_and_tested(
    data_diff_client: Client, server: Listening, fresh_postgres: str
) -> None:
    parts = urlsplit(fresh_postgres)
    database = parts.path.lstrip("/")
    said = answered(
        data_diff_client, server, "1", f"made-{database}",
        str(parts.hostname), str(parts.port), str(parts.username), str(parts.password), database,
        f"{database}.public", "0.001", "y",
    )  # fmt: skip
    made = server.house.client().get("/data_sources").json()[-1]
    assert f"the number is {made['id']}" in said
    assert (made["name"], made["float_tolerance"]) == (f"made-{database}", 0.001)
    for stage in ("connection", "schema_download", "temp_schema"):
        assert re.search(rf"{stage}\W+(TestDataSourceStatus\.SUCCESS|ok)", said), said
