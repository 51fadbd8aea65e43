"""What our database holds. The shapes are made by `migrations`; a test holds the two equal.

Every table that a key can see has `environment`: a key of `staging` sees nothing of
`production`. Row-level security holds that too (`database.seen_by`), as a second wall.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Constraint,
    DateTime,
    FetchedValue,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from weighbridge.store.columns import (
    ENVIRONMENTS,
    SCHEMA,
    environment,
    metadata,
    moment,
    number,
    within,
)
from weighbridge.store.delivery_tables import transfer_models, transfers, watermarks
from weighbridge.store.integrity_tables import (
    integrity_jobs,
    integrity_results,
    integrity_rows,
    repairs,
)

__all__ = [
    "ENVIRONMENTS",
    "ERRAND_STATES",
    "FREQUENCIES",
    "SCHEMA",
    "STATES",
    "api_keys",
    "audit",
    "connections",
    "datadiff_rows",
    "datadiffs",
    "destinations",
    "errands",
    "idempotency",
    "integrity_jobs",
    "integrity_results",
    "integrity_rows",
    "metadata",
    "models",
    "products",
    "recipients",
    "repairs",
    "scoped_tokens",
    "sources",
    "transfer_models",
    "transfers",
    "watermarks",
]

# How a diff goes: waiting → processing → done | failed | cancelled.
STATES = ("waiting", "processing", "done", "failed", "cancelled")
# Minutes between two transfers; 0 is the installation's default, daily.
FREQUENCIES = (0, 15, 60, 360, 720, 1440)
ERRAND_STATES = ("waiting", "processing", "done", "failed")

api_keys = Table(
    "api_keys",
    metadata,
    number(),
    *environment(),
    Column("public_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    moment("created_at", now=True),
    moment("expires_at"),
    moment("last_used_at"),
    moment("revoked_at"),
)

connections = Table(
    "connections",
    metadata,
    number(),
    *environment(),
    Column("name", Text, nullable=False),
    Column("vendor", Text, nullable=False),
    # What is no secret; the secret is sealed for `connections/<id>/secret`.
    Column("options", JSONB, nullable=False),
    Column("secret", LargeBinary),
    Column("settings", JSONB, nullable=False, server_default=text("'{}'")),
    # Null: an operator, by the command.
    Column("created_by", ForeignKey("api_keys.id")),
    moment("created_at", now=True),
    moment("deleted_at"),
    Index("uq_connections_name", "environment", "name", unique=True,
          postgresql_where=text("deleted_at is null")),
)  # fmt: skip

datadiffs = Table(
    "datadiffs",
    metadata,
    number(),
    *environment(),
    Column("request", JSONB, nullable=False),
    Column("status", Text, nullable=False, server_default="waiting"),
    # Who works on it: only the holder of this number may write its outcome.
    Column("attempt", Integer, nullable=False, server_default="0"),
    # How many of the attempts ended because a worker was told to end: these are no failures.
    Column("handed_back", Integer, nullable=False, server_default="0"),
    # The attempt whose rows are to be read; null until the whole outcome is there.
    Column("outcome_attempt", Integer),
    Column("report", JSONB),
    # Beside the report: tables that were written elsewhere, counts by time.
    Column("additions", JSONB),
    Column("error", JSONB),
    Column("progress", JSONB),
    Column("archived", Boolean, nullable=False, server_default="false"),
    Column("created_by", ForeignKey("api_keys.id"), nullable=False),
    moment("created_at", now=True),
    moment("updated_at", now=True),
    moment("started_at"),
    moment("finished_at"),
    moment("cancel_wished_at"),
    CheckConstraint(f"status in ({', '.join(repr(s) for s in STATES)})", name="status"),
    CheckConstraint("(status = 'done') = (outcome_attempt is not null)", name="outcome"),
    # Those under way are few among many: the net below the queue looks at them all the time.
    Index("ix_datadiffs_under_way", "id",
          postgresql_where=text("status in ('waiting', 'processing')")),
)  # fmt: skip

datadiff_rows = Table(
    "datadiff_rows",
    metadata,
    Column("datadiff_id", ForeignKey("datadiffs.id", ondelete="cascade"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("n", BigInteger, primary_key=True),
    *environment(),
    Column("kind", Text, nullable=False),
    Column("key", JSONB, nullable=False),
    Column("left", JSONB),
    Column("right", JSONB),
    Column("changed", ARRAY(Text), nullable=False),
    # A page of one kind, in order: without it every row of the diff is read for each page.
    Index("ix_datadiff_rows_kind", "datadiff_id", "attempt", "kind", "n"),
)

# Short work whose answer a client fetches later: tests of connections, columns of tables.
errands = Table(
    "errands",
    metadata,
    number(),
    *environment(),
    Column("kind", Text, nullable=False),
    Column("connection_id", ForeignKey("connections.id"), nullable=False),
    Column("request", JSONB, nullable=False),
    Column("status", Text, nullable=False, server_default="waiting"),
    # Who works on it: only the holder of this number may write its answer.
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("answer", JSONB),
    Column("created_by", ForeignKey("api_keys.id"), nullable=False),
    moment("created_at", now=True),
    moment("finished_at"),
    CheckConstraint(f"status in ({', '.join(repr(s) for s in ERRAND_STATES)})", name="status"),
    Index(None, "created_at"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key_id", ForeignKey("api_keys.id"), primary_key=True),
    Column("given", Text, primary_key=True),
    *environment(),
    # A second request under the same key must be the same request.
    Column("request_hash", LargeBinary, nullable=False),
    Column("answer", JSONB),
    moment("created_at", now=True),
)

audit = Table(
    "audit",
    metadata,
    number(),
    *environment(),
    moment("at", now=True),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("before", JSONB),
    Column("after", JSONB),
    # The database makes both (a trigger).
    Column("previous_hash", LargeBinary, nullable=False, server_default=FetchedValue()),
    Column("hash", LargeBinary, nullable=False, server_default=FetchedValue()),
    UniqueConstraint("hash"),
)

# What is delivered, to whom and where. A row that has history is never removed, only marked as
# deleted; what points to another row does so with the environment, so that no mistake of ours can
# tie the two together.


def _named() -> tuple[Column[Any] | Constraint, ...]:
    """Give what every table of the catalog has, with a name that is free again after deletion."""
    return (
        Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
        *environment(),
        Column("name", Text, nullable=False),
        Column("created_by", ForeignKey("api_keys.id"), nullable=False),
        moment("created_at", now=True),
        moment("updated_at", now=True),
        moment("deleted_at"),
        UniqueConstraint("environment", "id"),
    )


def _once(table: str, column: str) -> Index:
    return Index(
        f"uq_{table}_{column}", "environment", column, unique=True,
        postgresql_where=text("deleted_at is null"),
    )  # fmt: skip


sources = Table(
    "sources",
    metadata,
    *_named(),
    Column("vendor", Text, nullable=False),
    # What is no secret; the secrets are sealed for `sources/<id>/secret`.
    Column("options", JSONB, nullable=False),
    Column("secret", LargeBinary),
    _once("sources", "name"),
)

models = Table(
    "models",
    metadata,
    *_named(),
    Column("source_id", Uuid, nullable=False),
    # Another one with each change: a transfer remembers which it delivered.
    Column("revision_id", Uuid, nullable=False, server_default=text("gen_random_uuid()")),
    Column("description", Text, nullable=False, server_default=""),
    Column("source_table", Text, nullable=False),
    Column("organization_column", Text, nullable=False),
    Column("columns", JSONB, nullable=False),
    Column("filters", JSONB, nullable=False, server_default=text("'[]'")),
    within("source_id", "sources"),
    _once("models", "name"),
)

products = Table(
    "products",
    metadata,
    *_named(),
    Column("models", ARRAY(Text), nullable=False),
    _once("products", "name"),
)

recipients = Table(
    "recipients",
    metadata,
    *_named(),
    # The value of a model's organization_column whose rows are this recipient's.
    Column("id_in_provider_system", Text, nullable=False),
    Column("products", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    _once("recipients", "id_in_provider_system"),
)

destinations = Table(
    "destinations",
    metadata,
    *_named(),
    Column("recipient_id", Uuid, nullable=False),
    Column("vendor", Text, nullable=False),
    # What is no secret; the secrets are sealed for `destinations/<id>/secret`.
    Column("options", JSONB, nullable=False),
    Column("secret", LargeBinary),
    # An address that a recipient typed may not lead into our network, whoever changes the rest.
    Column("by_recipient", Boolean, nullable=False, server_default="false"),
    Column("enabled_models", ARRAY(Text), nullable=False),
    Column("frequency_minutes", Integer, nullable=False, server_default="0"),
    Column("is_enabled", Boolean, nullable=False, server_default="true"),
    Column("max_concurrent_transfers", Integer, nullable=False, server_default="1"),
    Column("max_concurrent_queries_per_transfer", Integer, nullable=False, server_default="1"),
    Column("machine_type_id", Uuid),
    # A transfer that ended asks for an integrity job of what it delivered to.
    Column("verify_after_transfer", Boolean, nullable=False, server_default="false"),
    within("recipient_id", "recipients"),
    CheckConstraint(
        f"frequency_minutes in ({', '.join(map(str, FREQUENCIES))})", name="frequency_minutes"
    ),
    CheckConstraint(
        "max_concurrent_transfers > 0 and max_concurrent_queries_per_transfer > 0",
        name="concurrency",
    ),
    Index("ix_destinations_recipient_id", "recipient_id"),
)

# What a recipient's browser holds: an hour, one recipient, perhaps one destination.
scoped_tokens = Table(
    "scoped_tokens",
    metadata,
    number(),
    *environment(),
    Column("public_id", Text, nullable=False, unique=True),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("recipient_id", Uuid, nullable=False),
    Column("destination_id", Uuid),
    Column("application_origin", Text, nullable=False),
    Column("created_by", ForeignKey("api_keys.id"), nullable=False),
    moment("created_at", now=True),
    Column(
        "expires_at", DateTime(timezone=True), nullable=False,
        server_default=text("clock_timestamp() + interval '1 hour'"),
    ),
    moment("revoked_at"),
    within("recipient_id", "recipients"),
    within("destination_id", "destinations"),
)  # fmt: skip
