"""Integrity jobs: what they found of each model, the rows, and repairs of these."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"

_STATES = "('PENDING', 'RUNNING', 'SUCCESS', 'PARTIAL_FAILURE', 'ERROR', 'CANCELLED')"
_SEEN = ("integrity_jobs", "integrity_results", "integrity_rows", "repairs")


def _story(table: str) -> str:
    return f"""
    status text DEFAULT 'PENDING' NOT NULL,
    request jsonb NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    handed_back integer DEFAULT 0 NOT NULL,
    error jsonb,
    progress jsonb,
    created_by bigint,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    cancel_wished_at timestamptz,
    CONSTRAINT pk_{table} PRIMARY KEY (id),
    CONSTRAINT ck_{table}_environment CHECK (environment IN ('production', 'staging')),
    CONSTRAINT ck_{table}_status CHECK (status IN {_STATES}),
    CONSTRAINT fk_{table}_created_by FOREIGN KEY (created_by) REFERENCES weighbridge.api_keys (id)"""


def _within(table: str, column: str, target: str) -> str:
    return (
        f"CONSTRAINT fk_{table}_environment_{column} FOREIGN KEY (environment, {column})"
        f" REFERENCES weighbridge.{target} (environment, id)"
    )


_JOBS = f"""
CREATE TABLE weighbridge.integrity_jobs (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    environment text NOT NULL,
    destination_id uuid NOT NULL,
    {_story("integrity_jobs")},
    CONSTRAINT uq_integrity_jobs_environment_id UNIQUE (environment, id),
    {_within("integrity_jobs", "destination_id", "destinations")}
)
"""
_RESULTS = f"""
CREATE TABLE weighbridge.integrity_results (
    job_id uuid NOT NULL,
    model_id uuid NOT NULL,
    environment text NOT NULL,
    attempt integer NOT NULL,
    model_name text NOT NULL,
    sampling_rate double precision DEFAULT 1 NOT NULL,
    compared bigint DEFAULT 0 NOT NULL,
    pending bigint DEFAULT 0 NOT NULL,
    stale bigint DEFAULT 0 NOT NULL,
    missing bigint DEFAULT 0 NOT NULL,
    incorrect bigint DEFAULT 0 NOT NULL,
    orphaned bigint DEFAULT 0 NOT NULL,
    partitions jsonb DEFAULT '[]' NOT NULL,
    error jsonb,
    log text NOT NULL,
    watermark timestamptz,
    ended_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_integrity_results PRIMARY KEY (job_id, model_id),
    CONSTRAINT ck_integrity_results_environment CHECK (environment IN ('production', 'staging')),
    {_within("integrity_results", "job_id", "integrity_jobs")},
    {_within("integrity_results", "model_id", "models")}
)
"""
_ROWS = f"""
CREATE TABLE weighbridge.integrity_rows (
    job_id uuid NOT NULL,
    model_id uuid NOT NULL,
    attempt integer NOT NULL,
    n bigint NOT NULL,
    environment text NOT NULL,
    class text NOT NULL,
    key jsonb NOT NULL,
    source jsonb,
    destination jsonb,
    changed text[] NOT NULL,
    CONSTRAINT pk_integrity_rows PRIMARY KEY (job_id, model_id, attempt, n),
    CONSTRAINT ck_integrity_rows_environment CHECK (environment IN ('production', 'staging')),
    {_within("integrity_rows", "job_id", "integrity_jobs")},
    {_within("integrity_rows", "model_id", "models")}
)
"""
_REPAIRS = f"""
CREATE TABLE weighbridge.repairs (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    environment text NOT NULL,
    job_id uuid NOT NULL,
    {_story("repairs")},
    outcome jsonb,
    {_within("repairs", "job_id", "integrity_jobs")}
)
"""
_INDEXES = (
    (
        "CREATE INDEX ix_integrity_jobs_under_way ON weighbridge.integrity_jobs (id)"
        " WHERE status IN ('PENDING', 'RUNNING')"
    ),
    (
        "CREATE INDEX ix_integrity_jobs_created_at"
        " ON weighbridge.integrity_jobs (destination_id, created_at, id)"
    ),
    (
        "CREATE INDEX ix_integrity_rows_class"
        " ON weighbridge.integrity_rows (job_id, class, model_id, n)"
    ),
    "CREATE INDEX ix_repairs_job_id ON weighbridge.repairs (job_id, created_at)",
    (
        "CREATE INDEX ix_repairs_under_way ON weighbridge.repairs (id)"
        " WHERE status IN ('PENDING', 'RUNNING')"
    ),
)


def upgrade() -> None:
    """Make the tables."""
    for statement in (_JOBS, _RESULTS, _ROWS, _REPAIRS, *_INDEXES):
        op.execute(statement)
    for table in _SEEN:
        op.execute(f"ALTER TABLE weighbridge.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE weighbridge.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY environment ON weighbridge.{table} USING ("
            "current_setting('weighbridge.environment', true) IN ('*', environment))"
        )
