"""The page of the API: all of it from here, and a call that a person makes in it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from tests import browser
from tests.servers.processes import free_port

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.house import House

PAGE = "/datafold/docs"
FACADES = ("/datafold", "/datafold/latest", "/prequel")
# Kept where a person wants to look at it.
PICTURES = os.environ.get("WEIGHBRIDGE_TEST_PICTURES")


@pytest.fixture
def client(house: House) -> TestClient:
    return house.client(token="none")


@pytest.mark.parametrize("facade", FACADES)
def test_everything_comes_from_here(client: TestClient, facade: str) -> None:
    page = client.get(f"http://testserver{facade}/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 4
    assert "://" not in page.text
    for link in links:
        if link == "data:,":
            continue
        file = client.get(f"http://testserver{facade}/{link}")
        assert file.status_code == 200, link
        assert len(file.content) > 100
        kind = "text/css" if link.endswith(".css") else "text/javascript"
        assert file.headers["content-type"].startswith(kind)
        policy = file.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    assert "validatorUrl: null" in client.get(f"http://testserver{facade}/docs/begin.js").text


@pytest.mark.parametrize("name", ["nothing.js", "..%2fapp.py", "%2e%2e/app.py", "redoc", "%00"])
def test_no_other_file(client: TestClient, name: str) -> None:
    answer = client.get(f"http://testserver{PAGE}/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.fixture
def address(house: House, tmp_path: Path) -> Iterator[str]:
    """Serve the house over HTTP, as `weighbridge serve` does; give its address."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "weighbridge.api", "127.0.0.1", str(port)],
        env={
            **os.environ,
            "DATABASE_URL": house.database.url,
            "WEIGHBRIDGE_KEY_RING": str(tmp_path / "keys.json"),
        },
        stderr=subprocess.DEVNULL,
    )
    try:
        yield _ready(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.wait(30)


def _ready(address: str, process: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, "it ended"
        try:
            with urlopen(f"{address}/readyz", timeout=5):  # noqa: S310 ours
                return address
        except OSError:
            time.sleep(0.1)
    raise AssertionError("it does not answer")


@pytest.mark.skipif(browser.PROGRAM is None, reason="there is no Chromium on this machine")
def test_a_call_is_made_in_it(house: House, address: str, tmp_path: Path) -> None:
    with urlopen(f"{address}/datafold/openapi.json", timeout=10) as answer:  # noqa: S310 ours
        described = json.loads(answer.read())
    count = sum(len(methods) for methods in described["paths"].values())
    key = house.key()
    with browser.a_page(tmp_path / "profile") as page:
        page.open(f"{address}{PAGE}")
        page.until(f"document.querySelectorAll('.opblock').length === {count}")
        show(page, "page")
        assert call(page) == "401"
        page.click("button.authorize")
        page.type("input[aria-label='auth-api-key-value'], .auth-container input", key)
        show(page, "authorize")
        page.click(".auth-btn-wrapper button[type=submit]")
        page.click(".auth-btn-wrapper button.btn-done")
        assert call(page) == "200"
        body = page.until("document.querySelector('.live-responses-table .response').textContent")
        assert '"org_name": "weighbridge"' in body
        show(page, "answer")
        kept = page.run(
            "JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])"
        )
        assert key not in kept
        page.open(f"{address}{PAGE}")
        assert call(page) == "401"  # it was in memory alone
        outside = [u for u in page.requests if not u.startswith((f"{address}/", "data:"))]
        assert outside == []
        assert any(url.endswith("/organization/meta") for url in page.requests)
        # A 401 is told on the console, too. No rule of the page's policy was broken.
        assert [text for text in page.complaints if "401" not in text] == []


@pytest.mark.skipif(browser.PROGRAM is None, reason="there is no Chromium on this machine")
@pytest.mark.parametrize("facade", FACADES)
def test_every_operation_is_on_it(address: str, tmp_path: Path, facade: str) -> None:
    with urlopen(f"{address}{facade}/openapi.json", timeout=10) as answer:  # noqa: S310 ours
        described = json.loads(answer.read())
    count = sum(len(methods) for methods in described["paths"].values())
    with browser.a_page(tmp_path / "profile") as page:
        page.open(f"{address}{facade}/docs")
        page.until(f"document.querySelectorAll('.opblock').length === {count}")
        show(page, facade.strip("/").replace("/", "-"))
        assert page.complaints == []


def call(page: browser.Page) -> str:
    """Execute the first operation; give the status of its answer."""
    block = "#operations-datadiffs-organization_meta"
    page.until(f"Boolean(document.querySelector('{block}'))")
    if not page.run(f"Boolean(document.querySelector('{block} .opblock-body'))"):
        page.click(f"{block} .opblock-summary-control")
    if page.run(f"Boolean(document.querySelector('{block} .btn-clear'))"):
        page.click(f"{block} .btn-clear")
    # Its answers are described below it: the page knows the operation whole.
    page.until(
        f"Boolean(document.querySelector('{block} .responses-inner .response .model-example'))"
    )
    page.click(f"{block} .execute")
    return page.until(
        f"document.querySelector('{block} .live-responses-table .response .response-col_status')?.innerText"
    ).split()[-1]


def show(page: browser.Page, name: str) -> None:
    """Keep a picture, if someone wants to look at it."""
    if PICTURES:
        page.picture(Path(PICTURES) / f"{name}.png")
