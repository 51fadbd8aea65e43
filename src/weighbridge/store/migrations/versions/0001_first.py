"""The first shape: keys, connections, diffs and their rows, errands, audit; the queue beside them."""

from __future__ import annotations

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0001"
down_revision = None

_SEEN = ("api_keys", "connections", "datadiffs", "datadiff_rows", "errands", "idempotency", "audit")

_TABLES = """
CREATE TABLE weighbridge.api_keys (
    id bigint GENERATED ALWAYS AS IDENTITY,
    environment text NOT NULL,
    public_id text NOT NULL,
    name text NOT NULL,
    secret_hash bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT ck_api_keys_environment CHECK (environment IN ('production', 'staging')),
    CONSTRAINT uq_api_keys_public_id UNIQUE (public_id)
);
CREATE TABLE weighbridge.connections (
    id bigint GENERATED ALWAYS AS IDENTITY,
    environment text NOT NULL,
    name text NOT NULL,
    vendor text NOT NULL,
    options jsonb NOT NULL,
    secret bytea,
    settings jsonb DEFAULT '{}' NOT NULL,
    created_by bigint NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT pk_connections PRIMARY KEY (id),
    CONSTRAINT ck_connections_environment CHECK (environment IN ('production', 'staging')),
    CONSTRAINT fk_connections_created_by FOREIGN KEY (created_by)
        REFERENCES weighbridge.api_keys (id)
);
CREATE UNIQUE INDEX uq_connections_name ON weighbridge.connections (environment, name)
    WHERE deleted_at IS NULL;
CREATE TABLE weighbridge.datadiffs (
    id bigint GENERATED ALWAYS AS IDENTITY,
    environment text NOT NULL,
    request jsonb NOT NULL,
    status text DEFAULT 'waiting' NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    outcome_attempt integer,
    report jsonb,
    error jsonb,
    progress jsonb,
    archived boolean DEFAULT false NOT NULL,
    created_by bigint NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    cancel_wished_at timestamptz,
    CONSTRAINT pk_datadiffs PRIMARY KEY (id),
    CONSTRAINT ck_datadiffs_environment CHECK (environment IN ('production', 'staging')),
    CONSTRAINT ck_datadiffs_status
        CHECK (status IN ('waiting', 'processing', 'done', 'failed', 'cancelled')),
    CONSTRAINT ck_datadiffs_outcome CHECK ((status = 'done') = (outcome_attempt IS NOT NULL)),
    CONSTRAINT fk_datadiffs_created_by FOREIGN KEY (created_by)
        REFERENCES weighbridge.api_keys (id)
);
CREATE TABLE weighbridge.datadiff_rows (
    datadiff_id bigint NOT NULL,
    attempt integer NOT NULL,
    n bigint NOT NULL,
    environment text NOT NULL,
    kind text NOT NULL,
    key jsonb NOT NULL,
    "left" jsonb,
    "right" jsonb,
    changed text[] NOT NULL,
    CONSTRAINT pk_datadiff_rows PRIMARY KEY (datadiff_id, attempt, n),
    CONSTRAINT ck_datadiff_rows_environment CHECK (environment IN ('production', 'staging')),
    CONSTRAINT fk_datadiff_rows_datadiff_id FOREIGN KEY (datadiff_id)
        REFERENCES weighbridge.datadiffs (id) ON DELETE CASCADE
);
CREATE TABLE weighbridge.errands (
    id bigint GENERATED ALWAYS AS IDENTITY,
    environment text NOT NULL,
    kind text NOT NULL,
    connection_id bigint NOT NULL,
    request jsonb NOT NULL,
    status text DEFAULT 'waiting' NOT NULL,
    answer jsonb,
    created_by bigint NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    finished_at timestamptz,
    CONSTRAINT pk_errands PRIMARY KEY (id),
    CONSTRAINT ck_errands_environment CHECK (environment IN ('production', 'staging')),
    CONSTRAINT fk_errands_connection_id FOREIGN KEY (connection_id)
        REFERENCES weighbridge.connections (id),
    CONSTRAINT fk_errands_created_by FOREIGN KEY (created_by)
        REFERENCES weighbridge.api_keys (id)
);
CREATE TABLE weighbridge.idempotency (
    key_id bigint NOT NULL,
    given text NOT NULL,
    environment text NOT NULL,
    request_hash bytea NOT NULL,
    answer jsonb,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_idempotency PRIMARY KEY (key_id, given),
    CONSTRAINT ck_idempotency_environment CHECK (environment IN ('production', 'staging')),
    CONSTRAINT fk_idempotency_key_id FOREIGN KEY (key_id) REFERENCES weighbridge.api_keys (id)
);
CREATE TABLE weighbridge.audit (
    id bigint GENERATED ALWAYS AS IDENTITY,
    environment text NOT NULL,
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    before jsonb,
    after jsonb,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT pk_audit PRIMARY KEY (id),
    CONSTRAINT ck_audit_environment CHECK (environment IN ('production', 'staging')),
    CONSTRAINT uq_audit_hash UNIQUE (hash)
);
"""

# Each line of the audit carries the hash of the one before: a line that is changed or taken out
# later breaks the chain, also where someone got past the trigger that forbids it.
_AUDIT = """
CREATE FUNCTION weighbridge.hash_of_audit(
    previous bytea, id bigint, environment text, at timestamptz, actor text, action text,
    object text, before jsonb, after jsonb
) RETURNS bytea LANGUAGE sql STABLE SET timezone = 'UTC' AS $$
    SELECT sha256(previous || convert_to(
        jsonb_build_array(id, environment, at, actor, action, object, before, after)::text, 'UTF8'))
$$;
CREATE FUNCTION weighbridge.chain_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- One line at a time, so that each one finds the one before it.
    PERFORM pg_advisory_xact_lock(7301955513);
    NEW.id := nextval(pg_get_serial_sequence('weighbridge.audit', 'id'));
    NEW.previous_hash := coalesce((
        SELECT hash FROM weighbridge.audit WHERE environment = NEW.environment
        ORDER BY id DESC LIMIT 1), ''::bytea);
    NEW.hash := weighbridge.hash_of_audit(
        NEW.previous_hash, NEW.id, NEW.environment, NEW.at, NEW.actor, NEW.action, NEW.object,
        NEW.before, NEW.after);
    RETURN NEW;
END $$;
CREATE TRIGGER chain BEFORE INSERT ON weighbridge.audit
    FOR EACH ROW EXECUTE FUNCTION weighbridge.chain_audit();
CREATE FUNCTION weighbridge.keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is only added to';
END $$;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON weighbridge.audit
    FOR EACH STATEMENT EXECUTE FUNCTION weighbridge.keep_audit();
"""


def upgrade() -> None:
    """Make everything."""
    for part in (_TABLES, _AUDIT, SchemaManager.get_schema()):
        # As the driver takes it: a colon or a percent sign in it is no parameter.
        op.get_bind().exec_driver_sql(part.replace("%", "%%"))
    for table in _SEEN:
        op.execute(f"ALTER TABLE weighbridge.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE weighbridge.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY environment ON weighbridge.{table} USING ("
            "current_setting('weighbridge.environment', true) IN ('*', environment))"
        )
