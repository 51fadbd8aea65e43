"""Connections that end too early, in every phase: no verdict, no hang, nothing left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import weighbridge
from tests import servers
from tests.faults.command import assert_quiet, diff, finish, run_sql, start, wait_until_busy
from tests.faults.proxy import How, proxied
from weighbridge.errors import ConnectionFailed, ConnectionLost

# Shares of all bytes that the server sends: log-in, catalog, first rows, middle, last bytes.
SHARES = (0.00001, 0.0001, 0.0004, 0.001, 0.01, 0.3, 0.6, 0.9, 0.999)
ROWS = 60_000
PAIRS = ("postgresql", "mysql")


@pytest.fixture(scope="module")
def urls(postgres: str, mariadb: str) -> Iterator[dict[str, str]]:
    """Give two servers with the same table."""
    with servers.fresh_postgres(postgres) as left, servers.fresh_mariadb(mariadb) as right:
        create = "create table t (id int primary key, v text not null)"
        run_sql(
            left,
            create,
            f"insert into t select i, repeat(md5(i::text), 4) from generate_series(1, {ROWS}) i",
            "analyze t",
        )
        run_sql(
            right, create, f"insert into t select seq, repeat(md5(seq), 4) from seq_1_to_{ROWS}"
        )
        yield {"postgresql": left, "mysql": right}


def _other(urls: dict[str, str], vendor: str) -> str:
    return next(url for name, url in urls.items() if name != vendor)


@pytest.fixture(scope="module")
def sent(urls: dict[str, str]) -> dict[str, int]:
    """Measure how much each server sends when nothing breaks."""
    found: dict[str, int] = {}
    for vendor in PAIRS:
        with proxied(urls[vendor]) as proxy:
            with weighbridge.compare(
                f"{proxy.url(urls[vendor])}#t", f"{_other(urls, vendor)}#t"
            ) as comparison:
                assert comparison.report.verdict == "identical"
            found[vendor] = proxy.passed
    return found


@pytest.mark.parametrize("vendor", PAIRS)
@pytest.mark.parametrize("share", SHARES)
def test_cut_at_byte(
    urls: dict[str, str],
    sent: dict[str, int],
    vendor: str,
    share: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_TMPDIR", str(tmp_path))
    how: How = "reset" if SHARES.index(share) % 2 else "close"
    began = time.monotonic()
    with proxied(urls[vendor], after=max(int(sent[vendor] * share), 1), how=how) as proxy:
        with pytest.raises(ConnectionFailed) as caught:
            weighbridge.compare(f"{proxy.url(urls[vendor])}#t", f"{_other(urls, vendor)}#t")
        assert proxy.fired
    assert time.monotonic() - began < 15
    assert caught.value.exit_code == 3
    assert os.listdir(tmp_path) == []  # noqa: PTH208 names only
    for url in urls.values():
        assert_quiet(url)


@pytest.mark.parametrize("vendor", PAIRS)
def test_cut_as_the_command_tells_it(
    urls: dict[str, str], sent: dict[str, int], vendor: str
) -> None:
    with proxied(urls[vendor], after=sent[vendor] // 2, how="reset") as proxy:
        ran = diff(f"{_other(urls, vendor)}#t", f"{proxy.url(urls[vendor])}#t")
        assert proxy.fired
    ran.is_error("connection_lost", 3, "was lost")
    assert ran.seconds < 15
    for url in urls.values():
        assert_quiet(url)


def test_cut_of_a_checksum(urls: dict[str, str], postgres2: str) -> None:
    """Both servers hash, so that few bytes flow: the cut comes while they work."""
    with servers.fresh_postgres(postgres2) as other:
        run_sql(
            other,
            "create table t (id int primary key, v text)",
            "create view slow as select id, v from t, pg_sleep(20)",
            "insert into t values (1, 'x')",
        )
        with proxied(other, how="reset") as proxy:
            words = (f"{urls['postgresql']}#t", f"{proxy.url(other)}#slow", "-k", "id")
            process = start(*words, tmpdir=Path(os.environ.get("TMPDIR", "/tmp")))  # noqa: S108
            wait_until_busy(other, "slow")
            proxy.fire()
            began = time.monotonic()
            _, err = finish(process)
        assert "code: connection_lost" in err
        assert process.returncode == 3
        assert time.monotonic() - began < 15


@pytest.mark.slow
@pytest.mark.parametrize("vendor", PAIRS)
def test_blackhole_is_noticed(
    urls: dict[str, str], sent: dict[str, int], vendor: str, tmp_path: Path
) -> None:
    """A server that has gone without a word: no packet is answered any more."""
    with proxied(urls[vendor], after=sent[vendor] // 2, how="silence") as proxy:
        began = time.monotonic()
        with pytest.raises(ConnectionLost):
            weighbridge.compare(f"{_other(urls, vendor)}#t", f"{proxy.url(urls[vendor])}#t")
        assert proxy.fired
    assert time.monotonic() - began < 40
