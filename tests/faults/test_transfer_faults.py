"""What breaks while a transfer runs: after each fault, rows read are rows visible, none doubled.

A test whose fault did not fire fails.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.faults.proxy import proxied
from tests.faults.transfer_ground import TransferGround, a_transfer_ground
from weighbridge.connectors import postgresql_loader
from weighbridge.deliver import load_model
from weighbridge.deliver import run as deliver_run

if TYPE_CHECKING:
    from tests.faults.proxy import How, Way


@pytest.fixture
def ground(
    postgres: str, fresh_postgres: str, fresh_postgres2: str, tmp_path: Path
) -> Iterator[TransferGround]:
    with a_transfer_ground(postgres, fresh_postgres, fresh_postgres2, tmp_path) as found:
        yield found


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait before the next try."""
    monkeypatch.setattr(deliver_run, "AGAIN_SECONDS", 0.0)


def through(ground: TransferGround, port: int | None) -> None:
    """Let the destination be reached by another port, or by its own."""
    own = urlsplit(ground.urls["destination"]).port
    answer = ground.client.patch(
        f"/destinations/{ground.destination}",
        json={"destination": {"postgres": {"port": port or own}}},
    )
    assert answer.status_code == 200, answer.text


def ended(ground: TransferGround, number: str, status: str = "SUCCESS") -> None:
    done = ground.shown(number)
    assert done["status"] == status, done
    ground.is_whole()


@pytest.mark.parametrize("way", ["to", "from"])
@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.usefixtures("at_once")
def test_the_destination_is_cut_off_at_each_place(
    ground: TransferGround, how: How, way: Way
) -> None:
    """Bytes are swept through login, claim, COPY, merge and commit (F06, F17)."""
    ground.run_sql(
        "source",
        "insert into orders select i, 'acme', repeat(md5(i::text), 20), now() - interval '1 day'"
        " from generate_series(2000, 2400) i",
    )
    with proxied(ground.urls["destination"], way=way) as proxy:
        through(ground, proxy.port)
        number = ground.asked()
        ground.house.run_transfer(number)
        ended(ground, number)
        total = proxy.passed
    steps = 9
    for step in range(steps):
        ground.run_sql("destination", "drop schema out cascade")
        with proxied(
            ground.urls["destination"], after=1 + total * step // steps, how=how, way=way
        ) as proxy:
            through(ground, proxy.port)
            number = ground.asked(full_refresh=True)
            assert ground.once(number)
            assert proxy.fired
            assert ground.shown(number)["status"] == "PENDING"
        through(ground, None)
        ground.house.run_transfer(number)
        ended(ground, number)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.usefixtures("at_once")
def test_the_answer_to_the_commit_is_lost(
    ground: TransferGround, full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger tells that it is there; nothing is read again (F04)."""
    ground.transfer()
    ground.run_sql("source", "update orders set v = 'x', updated_at = now() where id in (1, 4)")
    with proxied(ground.urls["destination"], how="mute") as proxy:
        through(ground, proxy.port)
        fired: list[str] = []

        def cut(name: str) -> None:
            if name == "load.merged" and not fired:
                fired.append(name)
                proxy.fire()

        monkeypatch.setattr(postgresql_loader, "point", cut)
        number = ground.asked(full_refresh=full)
        assert ground.once(number)
        assert fired
        assert proxy.fired
        before = ground.run_sql("destination", "select model_name, rows_changed, token from"
                                f" out._transfer_status where transfer_id = '{number}'"
                                " and status = 'SUCCESS' order by 1")  # fmt: skip
        assert len(before) == 2  # the one whose answer was lost, and the other
        assert ground.shown(number)["status"] == "PENDING"
        ground.house.run_transfer(number)
    after = ground.run_sql("destination", "select model_name, rows_changed, token from"
                           f" out._transfer_status where transfer_id = '{number}'"
                           " and status = 'SUCCESS' order by 1")  # fmt: skip
    assert after == before
    ended(ground, number)
    assert {mark[2] for mark in ground.watermarks()} == {ground.one(number).id}
    assert ground.shown(number)["delta_rows_transferred"] == 4


@pytest.mark.usefixtures("at_once")
def test_the_same_job_is_delivered_twice_at_once(ground: TransferGround) -> None:
    """The later claim counts; the earlier one changes nothing (F07)."""
    ground.pace(0.02)
    number = ground.asked()
    wishes: list[bool] = []
    threads = [
        threading.Thread(target=lambda: wishes.append(ground.once(number))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
        time.sleep(0.5)
    for thread in threads:
        thread.join(60)
    assert len(wishes) == 3
    assert ground.one(number).attempt == 3
    ended(ground, number)
    loads = ground.run_sql(
        "destination", "select count(*) from out._transfer_status where status = 'SUCCESS'"
    )
    assert loads == [(2,)]


def test_a_worker_is_frozen_and_woken(ground: TransferGround) -> None:
    """It holds nobody up, and what it does when it wakes is worth nothing (F11)."""
    ground.transfer()
    ground.run_sql("source", "update orders set v = 'x', updated_at = now() where id in (1, 3, 10)")
    ground.pace(0.5)
    number = ground.asked()
    first = ground.worker(grace=0)
    end = time.monotonic() + 60
    copying = "select 1 from pg_stat_activity where query ilike 'copy%' and application_name like 'weighbridge load%'"
    while not ground.run_sql("destination", copying):
        assert time.monotonic() < end
        time.sleep(0.05)
    os.kill(first.process.pid, signal.SIGSTOP)
    frozen = time.monotonic()
    try:
        ground.pace(0)
        ground.worker()
        ground.wait(number, "SUCCESS", 45)
        assert time.monotonic() - frozen < 45
        ground.is_whole()
        marks = ground.watermarks()
    finally:
        os.kill(first.process.pid, signal.SIGCONT)
    time.sleep(5)
    assert ground.one(number).status == "SUCCESS"
    assert ground.one(number).attempt > 1
    ground.has_no_job()
    ground.is_whole()
    assert ground.watermarks() == marks


@pytest.mark.usefixtures("at_once")
def test_a_statement_timeout_at_the_destination(ground: TransferGround) -> None:
    """It may pass; if it does not, the error says what (F16)."""
    ground.transfer()
    name = urlsplit(ground.urls["destination"]).path.lstrip("/")
    ground.run_sql(
        "destination",
        "create function slowly() returns trigger language plpgsql as"
        " $$ begin perform pg_sleep(0.3); return new; end $$",
        "create trigger slowly before insert or update on out.orders for each row"
        " execute function slowly()",
        f"alter database {name} set statement_timeout = '400ms'",
    )
    ground.run_sql("source", "update orders set v = 'x', updated_at = now() where id in (1, 4, 7)")
    number = ground.asked(models=["orders"])
    assert ground.once(number)
    assert "statement timeout" in ground.shown(number)["log"]
    ground.run_sql("destination", f"alter database {name} reset statement_timeout")
    ground.house.run_transfer(number)
    assert ground.shown(number)["status"] == "SUCCESS"
    ground.is_exact()


@pytest.mark.usefixtures("at_once")
def test_a_deadlock_at_the_destination(ground: TransferGround) -> None:
    """The load is the one that is ended; it is tried again (F16)."""
    ground.transfer()
    ground.run_sql("source", "update orders set v = 'x', updated_at = now() where id in (1, 4)")
    number = ground.asked(models=["orders"])
    again: list[bool] = []
    with ExitStack() as stack:
        other: Any = stack.enter_context(psycopg.connect(ground.urls["destination"]))
        other.execute("set deadlock_timeout = '30s'")
        other.execute("select 1 from out.orders where id = 4 for update")
        thread = threading.Thread(target=lambda: again.append(ground.once(number)))
        thread.start()
        end = time.monotonic() + 30
        waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and application_name like 'weighbridge load%'"
        while not ground.run_sql("destination", waits):
            assert time.monotonic() < end
            time.sleep(0.02)
        # It holds this for the time in which it publishes.
        other.execute(
            "select pg_advisory_xact_lock(hashtextextended('weighbridge load out orders', 0))::text"
        )
        thread.join(30)
        other.rollback()
    assert again == [True]
    assert "deadlock" in ground.shown(number)["log"]
    ground.house.run_transfer(number)
    assert ground.shown(number)["status"] == "SUCCESS"
    ground.is_exact()


@pytest.mark.usefixtures("at_once")
def test_our_own_database_is_away_for_a_while(
    ground: TransferGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed at the destination is not loaded again (F05)."""
    fired: list[int] = []

    def cut(name: str) -> None:
        if name == "transfer.published" and not fired:
            fired.append(1)
            name_of = urlsplit(ground.house.database.url).path.lstrip("/")
            with psycopg.connect(ground.urls["source"], autocommit=True) as connection:
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                    (name_of,),
                )

    monkeypatch.setattr(load_model, "point", cut)
    number = ground.asked()
    ground.house.run_transfer(number)
    assert fired
    ended(ground, number)
    loads = ground.run_sql("destination", "select count(*) from out._transfer_status")
    assert loads == [(2,)]


@pytest.mark.usefixtures("at_once")
def test_a_row_of_another_tenant_is_met_at_the_destination(
    ground: TransferGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The predicate is taken out, as by a mistake of ours: nothing is delivered (T03)."""

    def careless(spec: Any, *_: Any, **__: Any) -> Any:
        return replace(spec, where=None)

    monkeypatch.setattr(load_model, "rows_of", careless)
    done = ground.transfer()
    assert done["status"] == "ERROR"
    assert {m["error"]["error_code"] for m in done["model_metrics"]} == {"tenant_mixed"}
    assert ground.run_sql(
        "destination", "select relname from pg_class where relkind = 'r'"
        " and relnamespace = 'out'::regnamespace"
    ) == [("_transfer_status",)]  # fmt: skip
