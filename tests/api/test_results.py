"""The rows of a finished diff over HTTP: by page, filtered, and as whole files."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
import pyarrow.parquet
import pytest
from sqlalchemy import text

from tests.api.conftest import diff_body
from weighbridge.datadiffs import rows
from weighbridge.datadiffs.export import Columns, parquet
from weighbridge.datadiffs.export import csv as as_csv

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.house import House

ODD = """
create table p (id int primary key, cell text, n bigint, f float8, ok bool, raw bytea, d numeric);
create table q (like p including all);
insert into p values (1, '=1+1', 1, 0.5, true, '\\x00ff', 1.10), (2, '+a', 2, 'NaN', null, null, null),
 (3, '-a', 9223372036854775807, 1e300, false, '', 3), (4, '@a', null, 2, null, null, null),
 (5, E'\\ta', 5, 3, true, null, 1), (6, E'\\ra', 6, 'Infinity', true, null, 1),
 (7, '', 7, 7, true, null, 1), (8, 'a "b", c' || chr(10) || 'ü', 8, 8, true, null, 1);
insert into q select id, null, n, f, ok, raw, d from p where id <> 3
"""


def done(client: TestClient, house: House, source: int, **more: object) -> int:
    """Ask for a diff and run it; give its number."""
    answer = client.post("/datadiffs", json=diff_body(source, **more))
    assert answer.status_code == 200, answer.text
    number = int(answer.json()["id"])
    house.run_diff(number)
    assert client.get(f"/datadiffs/{number}").json()["status"] == "done"
    return number


@pytest.fixture
def number(client: TestClient, house: House, source: int) -> int:
    """Give a finished diff of a and b: ten rows changed, two only left, one only right."""
    return done(client, house, source)


@pytest.fixture
def odd(client: TestClient, house: House, source: int, fresh_postgres: str) -> int:
    """Give a finished diff of tables whose cells a file could get wrong."""
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        connection.execute(ODD.encode())
    return done(client, house, source, table1=["p"], table2=["q"])


def read(client: TestClient, number: int, **parameters: Any) -> dict[str, Any]:
    """Read one page."""
    answer = client.get(f"/datadiffs/{number}/results", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def whole(client: TestClient, number: int, form: str, **parameters: Any) -> bytes:
    """Read a whole file."""
    answer = client.get(f"/datadiffs/{number}/results", params={"format": form, **parameters})
    assert answer.status_code == 200, answer.text
    return answer.content


def test_shape(client: TestClient, number: int) -> None:
    body = read(client, number)
    found = body.pop("results")
    assert body == {
        "count": 13, "page": 1, "page_size": 100, "total_pages": 1, "next_after": None,
    }  # fmt: skip
    by_key = {row["key"]["id"]: row for row in found}
    assert by_key[10] == {
        "kind": "changed", "key": {"id": 10}, "changed": ["v"],
        "left": {"v": "v10", "n": "15.00"}, "right": {"v": "w10", "n": "15.00"},
    }  # fmt: skip
    assert by_key[1]["kind"] == "only_left"
    assert (by_key[1]["right"], by_key[1]["changed"]) == (None, [])
    assert (by_key[101]["kind"], by_key[101]["left"]) == ("only_right", None)


def test_pages_and_after_give_every_row_once(client: TestClient, number: int) -> None:
    for more in ({}, {"kind": "changed"}, {"column": "v"}):
        every_row_once(client, number, more)


def every_row_once(client: TestClient, number: int, more: dict[str, str]) -> None:
    """Read by page and by `after`; hold both against the whole."""
    every = read(client, number, **more)["results"]
    paged = [read(client, number, page=page, page_size=4, **more) for page in (1, 2, 3, 4)]
    assert [row for page in paged for row in page["results"]] == every
    assert paged[0]["total_pages"] == (4 if not more else 3)
    followed: list[Any] = []
    after: int | None = 0
    while after is not None:
        body = read(client, number, after=after, page_size=4, **more)
        assert body["page"] is None
        followed += body["results"]
        after = body["next_after"]
    assert followed == every


FILTERS: list[tuple[dict[str, str], int]] = [
    ({"kind": "changed"}, 10), ({"kind": "only_left"}, 2), ({"kind": "only_right"}, 1),
    ({"column": "v"}, 10), ({"column": "n"}, 0), ({"kind": "only_left", "column": "v"}, 0),
]  # fmt: skip


def test_filters_hold_for_every_format(client: TestClient, number: int) -> None:
    for more, count in FILTERS:
        body = read(client, number, **more)
        assert (body["count"], len(body["results"])) == (count, count)
        lines = whole(client, number, "ndjson", **more).splitlines()
        assert [json.loads(line) for line in lines] == body["results"]
        assert len(whole(client, number, "csv", **more).splitlines()) == count + 1
        table = pyarrow.parquet.read_table(io.BytesIO(whole(client, number, "parquet", **more)))
        assert table.num_rows == count


# One server answers all: making one for each would take longer than the answers.
UNREADABLE: list[tuple[dict[str, str], str]] = [
    ({"kind": "missing"}, "only_left"),
    ({"column": "nope"}, "Choose one of v, n"),
    ({"column": "id"}, "Choose one of v, n"),
    ({"column": "\x00"}, "Choose one of v, n"),
    ({"page": "0"}, "page"),
    ({"page_size": "1001"}, "1000"),
    ({"after": "-1"}, "after"),
    ({"page": "1", "after": "3"}, "one of them"),
    ({"format": "xml"}, "parquet"),
    ({"format": "csv", "page": "1"}, "every row"),
    ({"format": "ndjson", "after": "1"}, "every row"),
    ({"limit": "5"}, "page_size"),
]


def test_what_cannot_be_read(client: TestClient, number: int) -> None:
    for parameters, says in UNREADABLE:
        answer = client.get(f"/datadiffs/{number}/results", params=parameters)
        assert answer.status_code == 422, (parameters, answer.text)
        assert says in answer.json()["detail"], parameters


def test_not_before_the_end(client: TestClient, house: House, source: int) -> None:
    number = client.post("/datadiffs", json=diff_body(source)).json()["id"]
    for form in ("json", "ndjson", "csv", "parquet"):
        answer = client.get(f"/datadiffs/{number}/results", params={"format": form})
        assert (answer.status_code, "waiting" in answer.json()["detail"]) == (409, True)
        assert answer.headers["content-type"] == "application/problem+json"
    client.post(f"/datadiffs/{number}/cancel")
    assert client.get(f"/datadiffs/{number}/results").status_code == 409
    assert client.get("/datadiffs/999999/results").status_code == 404
    assert client.get(f"/datadiffs/{10**30}/results").status_code == 422


def test_csv_keeps_every_cell(client: TestClient, odd: int) -> None:
    answer = client.get(f"/datadiffs/{odd}/results", params={"format": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert f'filename="datadiff-{odd}.csv"' in answer.headers["content-disposition"]
    lines = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    assert list(lines[0])[:4] == ["kind", "changed", "key_id", "left_cell"]
    cells = {int(line["key_id"]): line["left_cell"] for line in lines}
    assert cells == {
        1: "=1+1", 2: "+a", 3: "-a", 4: "@a", 5: "\ta", 6: "\ra", 7: "", 8: 'a "b", c\nü',
    }  # fmt: skip
    # NULL and '' are two things.
    seventh = next(line for line in answer.text.split("\n") if '"[""cell""]",7,' in line)
    assert seventh.startswith('"changed","[""cell""]",7,"",7,')
    assert ",,7," in seventh


def test_parquet_types_lose_nothing(client: TestClient, odd: int) -> None:
    found = pyarrow.parquet.read_table(io.BytesIO(whole(client, odd, "parquet")))
    kinds = {field.name: field.type for field in found.schema}
    assert kinds["key_id"] == kinds["left_n"] == pa.int64()
    assert kinds["left_f"] == pa.float64()
    assert kinds["left_ok"] == pa.bool_()
    assert kinds["left_cell"] == kinds["left_d"] == pa.string()
    assert kinds["changed"] == pa.list_(pa.string())
    third = next(row for row in found.to_pylist() if row["key_id"] == 3)
    assert (third["kind"], third["left_n"], third["left_f"]) == ("only_left", 2**63 - 1, 1e300)
    assert third["right_cell"] is None
    sixth = next(row for row in found.to_pylist() if row["key_id"] == 6)
    assert (sixth["left_f"], sixth["left_cell"]) == (float("inf"), "\ra")


def test_more_rows_than_are_held_at_once(
    client: TestClient, house: House, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = read(client, number)["results"]
    asked: list[int] = []
    page = rows.page

    def watched(*args: Any, **kwargs: Any) -> Any:
        found = page(*args, **kwargs)
        asked.append(len(found))
        return found

    monkeypatch.setattr(rows, "BATCH", 5)
    monkeypatch.setattr(rows, "page", watched)
    lines = whole(client, number, "ndjson").splitlines()
    assert [json.loads(line) for line in lines] == every
    assert asked == [5, 5, 3]


def test_rows_that_go_away_meanwhile_end_the_stream_with_an_error(
    client: TestClient, house: House, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = rows.page

    def purging(connection: Any, *args: Any, **kwargs: Any) -> Any:
        found = page(connection, *args, **kwargs)
        connection.execute(text("delete from weighbridge.datadiff_rows"))
        return found

    monkeypatch.setattr(rows, "BATCH", 5)
    monkeypatch.setattr(rows, "page", purging)
    answer = client.get(f"/datadiffs/{number}/results", params={"format": "parquet"})
    assert answer.status_code == 503


def test_a_diff_without_differences(client: TestClient, house: House, source: int) -> None:
    number = done(client, house, source, table2=["public", "a"])
    assert read(client, number)["results"] == []
    assert whole(client, number, "ndjson") == b""
    head = "kind,changed,key_id,left_v,left_n,right_v,right_n"
    assert whole(client, number, "csv").decode().replace('"', "").strip() == head
    table = pyarrow.parquet.read_table(io.BytesIO(whole(client, number, "parquet")))
    assert (table.num_rows, ",".join(table.column_names)) == (0, head)


class _Row:
    """A stored row of one cell."""

    def __init__(self, value: Any) -> None:
        self.kind, self.key, self.changed = "changed", {"id": 1}, ["v"]
        self.left = self.right = {"v": value}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None], pa.int64()),
        ([1, 2**63], pa.string()),
        ([1.5, 2], pa.float64()),
        ([1.5, 2**60 + 1], pa.string()),
        ([1.5, 10**400], pa.string()),
        ([1.5, "NaN"], pa.float64()),
        (["NaN", "Infinity"], pa.string()),
        ([1.5, "text"], pa.string()),
        ([True, 1], pa.string()),
        ([{"base64": "AA=="}, None], pa.string()),
        ([None, None], pa.string()),
    ],
)
def test_a_column_has_the_type_of_all_its_values(values: list[Any], kind: pa.DataType) -> None:
    stored: Any = [[_Row(value)] for value in values]
    made = b"".join(parquet(Columns(["id"], ["v"]), stored))
    table = pyarrow.parquet.read_table(io.BytesIO(made))
    assert table.schema.field("left_v").type == kind
    assert table.num_rows == len(values)
    assert table["left_v"].to_pylist()[1] is None or values[1] is not None


def test_csv_tells_null_from_empty_and_numbers_from_text() -> None:
    stored: Any = [[_Row(value)] for value in (None, "", 5, "5", True, 'a"b')]
    lines = b"".join(as_csv(Columns([], ["v"]), stored)).decode().splitlines()[1:]
    assert [line.split(",")[-1] for line in lines] == ["", '""', "5", '"5"', "true", '"a""b"']
