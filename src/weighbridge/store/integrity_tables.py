"""What our database holds of integrity jobs and repairs, beside what `tables` has."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
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

# How a job goes: PENDING → RUNNING → one of the others.
JOB_STATES = ("PENDING", "RUNNING", "SUCCESS", "PARTIAL_FAILURE", "ERROR", "CANCELLED")


def _story() -> tuple[Column[object] | CheckConstraint, ...]:
    """Give what a row of a story has that a worker brings to its end."""
    return (
        Column("status", Text, nullable=False, server_default="PENDING"),
        Column("request", JSONB, nullable=False),
        # Who works on it: only the holder of this number may write its outcome.
        Column("attempt", Integer, nullable=False, server_default="0"),
        Column("handed_back", Integer, nullable=False, server_default="0"),
        Column("error", JSONB),
        Column("progress", JSONB),
        # Null: a transfer that was finished.
        Column("created_by", ForeignKey("api_keys.id")),
        moment("created_at", now=True),
        moment("updated_at", now=True),
        moment("started_at"),
        moment("ended_at"),
        moment("cancel_wished_at"),
        CheckConstraint(f"status in ({', '.join(map(repr, JOB_STATES))})", name="status"),
    )


integrity_jobs = Table(
    "integrity_jobs",
    metadata,
    Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    *environment(),
    Column("destination_id", Uuid, nullable=False),
    *_story(),
    UniqueConstraint("environment", "id"),
    within("destination_id", "destinations"),
    Index("ix_integrity_jobs_under_way", "id",
          postgresql_where=text("status in ('PENDING', 'RUNNING')")),
    Index("ix_integrity_jobs_created_at", "destination_id", "created_at", "id"),
)  # fmt: skip

# What a job found of each model: written when the model is done, with its rows, or not at all.
integrity_results = Table(
    "integrity_results",
    metadata,
    Column("job_id", Uuid, primary_key=True),
    Column("model_id", Uuid, primary_key=True),
    *environment(),
    Column("attempt", Integer, nullable=False),
    Column("model_name", Text, nullable=False),
    Column("sampling_rate", Float, nullable=False, server_default=text("1")),
    Column("compared", BigInteger, nullable=False, server_default=text("0")),
    Column("pending", BigInteger, nullable=False, server_default=text("0")),
    Column("stale", BigInteger, nullable=False, server_default=text("0")),
    Column("missing", BigInteger, nullable=False, server_default=text("0")),
    Column("incorrect", BigInteger, nullable=False, server_default=text("0")),
    Column("orphaned", BigInteger, nullable=False, server_default=text("0")),
    Column("partitions", JSONB, nullable=False, server_default=text("'[]'")),
    Column("error", JSONB),
    Column("log", Text, nullable=False),
    # Up to which moment of change the destination was held to be complete.
    moment("watermark"),
    moment("ended_at", now=True),
    within("job_id", "integrity_jobs"),
    within("model_id", "models"),
)

integrity_rows = Table(
    "integrity_rows",
    metadata,
    Column("job_id", Uuid, primary_key=True),
    Column("model_id", Uuid, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("n", BigInteger, primary_key=True),
    *environment(),
    Column("class", Text, nullable=False),
    # By the names at the destination.
    Column("key", JSONB, nullable=False),
    Column("source", JSONB),
    Column("destination", JSONB),
    Column("changed", ARRAY(Text), nullable=False),
    within("job_id", "integrity_jobs"),
    within("model_id", "models"),
    Index("ix_integrity_rows_class", "job_id", "class", "model_id", "n"),
)

repairs = Table(
    "repairs",
    metadata,
    Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    *environment(),
    Column("job_id", Uuid, nullable=False),
    *_story(),
    # Per model: what was put right, what was left as it is, and the SQL of both ways.
    Column("outcome", JSONB),
    within("job_id", "integrity_jobs"),
    Index("ix_repairs_job_id", "job_id", "created_at"),
    Index("ix_repairs_under_way", "id",
          postgresql_where=text("status in ('PENDING', 'RUNNING')")),
)  # fmt: skip
