"""Transfers, what each did of each model, and how far each model has come."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"

_STATES = "('PENDING', 'RUNNING', 'SUCCESS', 'PARTIAL_FAILURE', 'ERROR', 'CANCELLED')"
_SEEN = ("transfers", "transfer_models", "watermarks")
_TRANSFERS = f"""
CREATE TABLE weighbridge.transfers (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    environment text NOT NULL,
    destination_id uuid NOT NULL,
    status text DEFAULT 'PENDING' NOT NULL,
    is_full_refresh boolean DEFAULT false NOT NULL,
    is_debug_mode boolean DEFAULT false NOT NULL,
    models text[] NOT NULL,
    window_start timestamptz,
    window_end timestamptz,
    tags jsonb DEFAULT '{{}}' NOT NULL,
    due_at timestamptz,
    created_by bigint,
    attempt integer DEFAULT 0 NOT NULL,
    handed_back integer DEFAULT 0 NOT NULL,
    error jsonb,
    log text DEFAULT '' NOT NULL,
    submitted_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    cancel_wished_at timestamptz,
    CONSTRAINT pk_transfers PRIMARY KEY (id),
    CONSTRAINT uq_transfers_environment_id UNIQUE (environment, id),
    CONSTRAINT ck_transfers_environment CHECK (environment IN ('production', 'staging')),
    CONSTRAINT ck_transfers_status CHECK (status IN {_STATES}),
    CONSTRAINT fk_transfers_created_by FOREIGN KEY (created_by) REFERENCES weighbridge.api_keys (id),
    CONSTRAINT fk_transfers_environment_destination_id FOREIGN KEY (environment, destination_id)
        REFERENCES weighbridge.destinations (environment, id)
)
"""
_MODELS = f"""
CREATE TABLE weighbridge.transfer_models (
    transfer_id uuid NOT NULL,
    model_id uuid NOT NULL,
    environment text NOT NULL,
    model_name text NOT NULL,
    revision_id uuid NOT NULL,
    status text DEFAULT 'RUNNING' NOT NULL,
    is_full_refresh boolean NOT NULL,
    token bigint NOT NULL,
    window_start timestamptz,
    window_end timestamptz,
    rows_transferred bigint DEFAULT 0 NOT NULL,
    delta_rows_transferred bigint DEFAULT 0 NOT NULL,
    bytes bigint DEFAULT 0 NOT NULL,
    latest timestamptz,
    error jsonb,
    started_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    ended_at timestamptz,
    CONSTRAINT pk_transfer_models PRIMARY KEY (transfer_id, model_id),
    CONSTRAINT ck_transfer_models_environment CHECK (environment IN ('production', 'staging')),
    CONSTRAINT ck_transfer_models_status CHECK (status IN {_STATES}),
    CONSTRAINT fk_transfer_models_environment_transfer_id FOREIGN KEY (environment, transfer_id)
        REFERENCES weighbridge.transfers (environment, id),
    CONSTRAINT fk_transfer_models_environment_model_id FOREIGN KEY (environment, model_id)
        REFERENCES weighbridge.models (environment, id)
)
"""
_WATERMARKS = """
CREATE TABLE weighbridge.watermarks (
    destination_id uuid NOT NULL,
    model_id uuid NOT NULL,
    environment text NOT NULL,
    latest timestamptz,
    revision_id uuid NOT NULL,
    transfer_id uuid NOT NULL,
    moved_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_watermarks PRIMARY KEY (destination_id, model_id),
    CONSTRAINT ck_watermarks_environment CHECK (environment IN ('production', 'staging')),
    CONSTRAINT fk_watermarks_environment_destination_id FOREIGN KEY (environment, destination_id)
        REFERENCES weighbridge.destinations (environment, id),
    CONSTRAINT fk_watermarks_environment_model_id FOREIGN KEY (environment, model_id)
        REFERENCES weighbridge.models (environment, id),
    CONSTRAINT fk_watermarks_environment_transfer_id FOREIGN KEY (environment, transfer_id)
        REFERENCES weighbridge.transfers (environment, id)
)
"""
_INDEXES = (
    (
        "CREATE UNIQUE INDEX uq_transfers_due_at ON weighbridge.transfers (destination_id, due_at)"
        " WHERE due_at IS NOT NULL"
    ),
    (
        "CREATE INDEX ix_transfers_under_way ON weighbridge.transfers (destination_id)"
        " WHERE status IN ('PENDING', 'RUNNING')"
    ),
    (
        "CREATE INDEX ix_transfers_submitted_at"
        " ON weighbridge.transfers (destination_id, submitted_at, id)"
    ),
)


def upgrade() -> None:
    """Make the tables, and the sequence that fences attempts off."""
    for statement in (_TRANSFERS, _MODELS, _WATERMARKS, *_INDEXES):
        op.execute(statement)
    op.execute("CREATE SEQUENCE weighbridge.load_token")
    op.execute(
        "ALTER TABLE weighbridge.destinations"
        " ADD COLUMN verify_after_transfer boolean DEFAULT false NOT NULL"
    )
    for table in _SEEN:
        op.execute(f"ALTER TABLE weighbridge.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE weighbridge.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY environment ON weighbridge.{table} USING ("
            "current_setting('weighbridge.environment', true) IN ('*', environment))"
        )
