"""The page that clients print for a diff: the report in a browser, for whoever has a key."""

from __future__ import annotations

import re
from base64 import b64encode
from html import unescape
from typing import TYPE_CHECKING

import psycopg
import pytest
from fastapi.routing import APIRoute

from tests.api.conftest import diff_body
from weighbridge.api.app import make_app
from weighbridge.api.auth import NeedsInBrowser

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.house import House

MOUNTS = ("/datafold", "/datafold/latest")


def page_of(house: House, number: int, authorization: str | None, mount: str = "/datafold"):
    """Ask for a diff's page, with this header."""
    client = house.client()
    del client.headers["authorization"]
    headers = {} if authorization is None else {"Authorization": authorization}
    return client.get(f"http://testserver{mount}/datadiffs/{number}/overview", headers=headers)


def read(page: str) -> str:
    """Give a page as a person reads it: the marks within a value are no part of it."""
    body = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]*>", "", body))


def typed(user: str, password: str) -> str:
    """Write what a browser sends once a person has typed these."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.fixture
def number(client: TestClient, house: House, source: int) -> int:
    """Give a finished diff: ten rows changed, two only left, one only right."""
    asked = client.post("/datadiffs", json=diff_body(source)).json()["id"]
    house.run_diff(asked)
    return int(asked)


@pytest.mark.parametrize("mount", MOUNTS)
def test_a_browser_shows_the_report(house: House, number: int, mount: str) -> None:
    key = house.key(["diffs:read"])
    for authorization in (typed("anyone", key), typed(key, ""), f"Key {key}", f"Bearer {key}", key):
        answer = page_of(house, number, authorization, mount)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert f"<h1>Datadiff {number}</h1>" in answer.text
        assert "10 of 100 rows changed, 2 only left, 1 only right" in answer.text
        assert "public.a" in answer.text
        assert "w10" in read(answer.text)  # a row, with what it has become
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"


def test_without_a_key_the_browser_asks_for_one(house: House, number: int) -> None:
    wrong = house.key()[:-1] + "_"
    headers = (None, typed("anyone", wrong), typed("", ""), "Basic !!", "Basic", f"Key {wrong}")
    for authorization in headers:
        answer = page_of(house, number, authorization)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic realm=")
        assert "w10" not in read(answer.text)


def test_what_a_browser_was_told_opens_nothing_else(house: House, number: int) -> None:
    """A page of someone else's may make a browser send it: it must not work for the API."""
    client = house.client()
    client.headers["authorization"] = typed("anyone", house.key())
    answers = [
        client.get(f"/datadiffs/{number}"),
        client.post(f"/datadiffs/{number}/cancel"),
        client.patch(f"/datadiffs/{number}", json={"purged": True}),
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert {answer.headers["www-authenticate"].split()[0] for answer in answers} == {"Key"}


def test_a_browsers_key_only_reads(house: House) -> None:
    """Whatever takes a key in this form can be asked for by a page of someone else's."""
    app = make_app(house.database, house.ring)
    browsers = [
        route
        for route in app.routes
        if isinstance(route, APIRoute)
        and any(isinstance(d.call, NeedsInBrowser) for d in route.dependant.dependencies)
    ]
    assert {route.path for route in browsers} == {
        f"{mount}/datadiffs/{{number}}/overview" for mount in MOUNTS
    }
    assert {method for route in browsers for method in route.methods or ()} == {"GET"}


def test_who_may_see_it(house: House, number: int) -> None:
    other = typed("anyone", house.key(["connections:read"]))
    assert page_of(house, number, other).status_code == 403
    foreign = page_of(house, number, typed("anyone", house.key(environment="staging")))
    absent = page_of(house, number + 1, typed("anyone", house.key()))
    assert foreign.status_code == absent.status_code == 404
    assert foreign.json()["detail"] == absent.json()["detail"].replace(str(number + 1), str(number))
    assert page_of(house, 2**70, typed("anyone", house.key())).status_code == 422


def test_a_diff_without_a_report(client: TestClient, house: House, source: int) -> None:
    """It says where it stands, and asks again as long as there is something to wait for."""
    key = typed("anyone", house.key())
    missing = ["public", "<script>alert(1)</script>"]
    asked = client.post("/datadiffs", json=diff_body(source, table2=missing)).json()["id"]
    waiting = page_of(house, asked, key).text
    assert "The diff waits for a worker." in waiting
    assert '<meta http-equiv="refresh" content="3">' in waiting
    house.run_diff(asked)
    failed = page_of(house, asked, key).text
    assert "<title>Failed: Datadiff" in failed
    assert "There is no table or view" in failed
    assert "alert(1)" in failed
    assert "<script" not in failed
    assert "refresh" not in failed


def test_what_was_purged_is_not_shown(client: TestClient, house: House, number: int) -> None:
    assert client.patch(f"/datadiffs/{number}", json={"purged": True}).status_code == 200
    page = read(page_of(house, number, typed("anyone", house.key())).text)
    assert "10 of 100 rows changed" in page
    assert "w10" not in page


def test_cells_are_text_on_the_page(
    client: TestClient, house: House, source: int, fresh_postgres: str
) -> None:
    """What stands in a table is never markup, and what JSON does not know comes through."""
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        connection.execute(
            b"create table p (id int primary key, v text, n numeric, raw bytea, t timestamptz);"
            b"create table q (like p including all);"
            b"insert into p values (1, '<img src=x onerror=alert(1)>', 1.10, '\\xff', now());"
            b"insert into q values (1, '</script><script>alert(2)</script>', 'NaN', null, null)"
        )
    body = diff_body(source, table1=["p"], table2=["q"])
    asked = client.post("/datadiffs", json=body).json()["id"]
    house.run_diff(asked)
    page = page_of(house, asked, typed("anyone", house.key())).text
    assert "<img src=x onerror=alert(1)>" in read(page)
    assert "</script><script>alert(2)</script>" in read(page)
    assert "1.10" in read(page)
    assert "<img" not in page
    assert page.count("<script>") == 1
