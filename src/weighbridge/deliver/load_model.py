"""One model of one transfer: from the source to the destination, and its watermark after that."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar, cast

from weighbridge.connectors.clock import now_of
from weighbridge.connectors.extracting import Delivery, Rows, delivery_of, instant
from weighbridge.connectors.loading import Load, Loaded
from weighbridge.connectors.registry import open_source
from weighbridge.connectors.tenancy import Condition, TenantScope, Window, rows_of
from weighbridge.deliver import store
from weighbridge.deliver.window import Plan, Watermark, decide, moved
from weighbridge.fault_points import point
from weighbridge.store.database import Database, seen_by

if TYPE_CHECKING:
    from uuid import UUID

    import pyarrow as pa

    from weighbridge.catalog.models import Model
    from weighbridge.compare.request import Stop
    from weighbridge.connectors.base import GivesCopies, Source
    from weighbridge.connectors.loading import Loader, TakesCopies
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.deliver.ground import Ground
    from weighbridge.deliver.store import Transfer
    from weighbridge.types.columns import Shape

T = TypeVar("T")


@dataclass
class Side:
    """On which side the work stands just now: whose an error is."""

    name: str = "source"


@dataclass(frozen=True)
class Task:
    """One model that is to be delivered, and what stops it.

    `spec` is the side of the whole table, to be read through `rows_of` alone.
    """

    database: Database
    transfer: Transfer
    ground: Ground
    model: Model
    spec: SideSpec
    stop: Stop
    side: Side

    @property
    def scope(self) -> TenantScope:
        """Say whose rows are read."""
        return replace(self.ground.scope, column=self.model.organization_column)


def load_model(task: Task) -> None:
    """Deliver one model. Raises whatever kept it from being there."""
    began, model = time.monotonic(), task.model
    with seen_by(task.database, task.transfer.environment) as connection:
        mark = store.watermark(connection, task.transfer.destination_id, model.id)
    task.side.name = "destination"
    loader = task.ground.open_loader()
    task.stop.on_set(loader.cancel)
    try:
        found = loader.find(_named(task))
        if found is not None:
            plan, revision = _planned(task, mark, datetime.now(UTC), 0), _begun(task)
        else:
            task.side.name = "source"
            shape, delivery, look_back = _looked_at(task)
            now = now_of(task.spec, task.ground.policy)
            plan = _planned(task, mark, now, look_back)
            found, revision = _loaded(task, loader, plan, delivery, shape=shape, now=now)
    finally:
        loader.close()
    point("transfer.published")
    seconds = time.monotonic() - began
    rows = f"{found.rows:,} row{'' if found.rows == 1 else 's'}"
    with seen_by(task.database, task.transfer.environment) as connection:
        store.end_model(
            connection, task.transfer, model, loaded=found,
            mark=(moved(plan, mark, found.latest), revision) if plan.moves else None,
            line=f"{model.name}: {plan.why}: {rows} in {seconds:.1f} s.",
        )  # fmt: skip
    point("transfer.watermark_moved")


def _named(task: Task) -> Load:
    """Name the load for its ledger, where nothing else of it is known yet."""
    return Load(
        table=task.model.name, fields=(), key=(), last_modified="", full=False,
        transfer=str(task.transfer.id), token=0, began=task.transfer.submitted_at,
    )  # fmt: skip


def _planned(task: Task, mark: Watermark | None, now: datetime, look_back: int) -> Plan:
    return decide(task.transfer.asked, mark, task.model.revision_id, now=now, look_back=look_back)


def _begun(task: Task) -> UUID:
    """Give the revision of the model that an earlier attempt delivered."""
    runs = {run.model_id: run.revision_id for run in task.transfer.runs}
    return runs.get(task.model.id, task.model.revision_id)


def _looked_at(task: Task) -> tuple[Shape, Delivery, int]:
    """Give the table's shape, what of it is delivered, and by how much rows may come late."""
    source = open_source(task.spec, task.ground.policy, snapshot=False)
    try:
        shape, look_back = source.shape(), source.traits.look_back
    finally:
        source.close()
    model = task.model
    return shape, delivery_of(model.columns, model.organization_column, shape), look_back


def _loaded(
    task: Task,
    loader: Loader,
    plan: Plan,
    delivery: Delivery,
    *,
    shape: Shape,
    now: datetime,
) -> tuple[Loaded, UUID]:
    """Claim, read, load, publish: (what came, the revision that it is of)."""
    model, transfer = task.model, task.transfer
    with seen_by(task.database, transfer.environment) as connection:
        token, revision = store.begin_model(connection, transfer, model, plan, now=now)
    point("transfer.model_begun")
    load = replace(
        _named(task), fields=delivery.fields, key=delivery.key,
        last_modified=delivery.last_modified, full=plan.full, token=token, since=plan.since,
        until=plan.until,
    )  # fmt: skip
    task.side.name = "destination"
    loader.claim(load)
    point("transfer.load_claimed")
    # What an earlier attempt had sent may have been committed just now.
    found = loader.find(load)
    if found is not None:
        return found, revision
    task.stop.check()
    window = Window(delivery.moment.name, plan.since, plan.until, plan.timeless)
    filters = [Condition(f["column"], f["operator"], f.get("value")) for f in model.filters]
    task.side.name = "source"
    spec = rows_of(task.spec, shape, task.scope, filters=filters, window=window)
    source = open_source(spec, task.ground.policy)
    task.stop.on_set(source.cancel)
    try:
        came = _passed_on(task, source, loader, delivery)
    finally:
        source.close()
    point("transfer.added")
    task.side.name = "destination"
    task.stop.check()
    # A row may say that it changes tomorrow: the watermark does not believe it.
    latest = None if came.latest is None else min(instant(came.latest), now)
    return loader.publish(replace(came, latest=latest)), model.revision_id


def _passed_on(task: Task, source: Source, loader: Loader, delivery: Delivery) -> Loaded:
    """Bring the rows over: as they lie where both sides can, else as Arrow."""
    form, side = source.traits.copies, task.side
    if form is not None and form == getattr(loader, "copies", None):
        columns = [(chosen.column, chosen.field.type) for chosen in delivery.columns]
        chunks = cast("GivesCopies", source).copied(columns, delivery.tenant)
        if chunks is not None:
            side.name = "destination"
            return cast("TakesCopies", loader).add_copied(_told(side, chunks), task.scope.value)
    import pyarrow as pa  # noqa: PLC0415 heavy

    rows = Rows(source, delivery, task.scope)
    reader: pa.RecordBatchReader = rows.reader()
    loader.add(pa.RecordBatchReader.from_batches(reader.schema, _told(side, reader)))
    return Loaded(rows.count, rows.bytes, rows.latest)


def _told(side: Side, items: Iterable[T]) -> Iterator[T]:
    """Pass on what comes, and keep in mind on which side the work is."""
    side.name = "source"
    for item in items:
        side.name = "destination"
        yield item
        side.name = "source"
    side.name = "destination"
