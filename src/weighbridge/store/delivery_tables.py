"""What our database holds of deliveries, beside what `tables` has."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from weighbridge.store.columns import environment, metadata, moment, within

# How a transfer goes, and each model of one: PENDING → RUNNING → one of the others.
TRANSFER_STATES = ("PENDING", "RUNNING", "SUCCESS", "PARTIAL_FAILURE", "ERROR", "CANCELLED")


def _among(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} in ({', '.join(map(repr, values))})", name=column)


transfers = Table(
    "transfers",
    metadata,
    Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    *environment(),
    Column("destination_id", Uuid, nullable=False),
    Column("status", Text, nullable=False, server_default="PENDING"),
    Column("is_full_refresh", Boolean, nullable=False, server_default="false"),
    Column("is_debug_mode", Boolean, nullable=False, server_default="false"),
    # Empty: every enabled model.
    Column("models", ARRAY(Text), nullable=False),
    moment("window_start"),
    moment("window_end"),
    Column("tags", JSONB, nullable=False, server_default=text("'{}'")),
    # Of a schedule, the moment that it was for: each fires once.
    moment("due_at"),
    # Null: the schedule.
    Column("created_by", ForeignKey("api_keys.id")),
    # Who works on it: only the holder of this number may write its outcome.
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("handed_back", Integer, nullable=False, server_default="0"),
    Column("error", JSONB),
    Column("log", Text, nullable=False, server_default=""),
    moment("submitted_at", now=True),
    moment("started_at"),
    moment("ended_at"),
    moment("cancel_wished_at"),
    _among("status", TRANSFER_STATES),
    UniqueConstraint("environment", "id"),
    within("destination_id", "destinations"),
    Index("uq_transfers_due_at", "destination_id", "due_at", unique=True,
          postgresql_where=text("due_at is not null")),
    Index("ix_transfers_under_way", "destination_id",
          postgresql_where=text("status in ('PENDING', 'RUNNING')")),
    Index("ix_transfers_submitted_at", "destination_id", "submitted_at", "id"),
)  # fmt: skip

# What a transfer did of each model; written when the model begins, and when it ends.
transfer_models = Table(
    "transfer_models",
    metadata,
    Column("transfer_id", Uuid, primary_key=True),
    Column("model_id", Uuid, primary_key=True),
    *environment(),
    Column("model_name", Text, nullable=False),
    Column("revision_id", Uuid, nullable=False),
    Column("status", Text, nullable=False, server_default="RUNNING"),
    Column("is_full_refresh", Boolean, nullable=False),
    # Grows with every attempt at any model of any transfer: the fence at the destination.
    Column("token", BigInteger, nullable=False),
    moment("window_start"),
    moment("window_end"),
    Column("rows_transferred", BigInteger, nullable=False, server_default=text("0")),
    Column("delta_rows_transferred", BigInteger, nullable=False, server_default=text("0")),
    Column("bytes", BigInteger, nullable=False, server_default=text("0")),
    moment("latest"),
    Column("error", JSONB),
    moment("started_at", now=True),
    moment("ended_at"),
    _among("status", TRANSFER_STATES),
    within("transfer_id", "transfers"),
    within("model_id", "models"),
)

# How far each model has come at each destination: the greatest moment of change that the
# destination has confirmed. Moved in one line, after that.
watermarks = Table(
    "watermarks",
    metadata,
    Column("destination_id", Uuid, primary_key=True),
    Column("model_id", Uuid, primary_key=True),
    *environment(),
    # Null: delivered whole, and no row had a moment of change.
    moment("latest"),
    Column("revision_id", Uuid, nullable=False),
    Column("transfer_id", Uuid, nullable=False),
    moment("moved_at", now=True),
    within("destination_id", "destinations"),
    within("model_id", "models"),
    within("transfer_id", "transfers"),
)
