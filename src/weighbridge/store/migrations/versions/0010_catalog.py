"""What is delivered, to whom and where: sources, models, products, recipients, destinations."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0004"

_CATALOG = ("sources", "models", "products", "recipients", "destinations")
_SEEN = (*_CATALOG, "scoped_tokens")

# Every table of the catalog has these, and a name (or another word) that is free after deletion.
_HEAD = """
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    environment text NOT NULL,
    name text NOT NULL,
    created_by bigint NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT pk_{table} PRIMARY KEY (id),
    CONSTRAINT uq_{table}_environment_id UNIQUE (environment, id),
    CONSTRAINT ck_{table}_environment CHECK (environment IN ('production', 'staging')),
    CONSTRAINT fk_{table}_created_by FOREIGN KEY (created_by) REFERENCES weighbridge.api_keys (id),
"""
_BODIES = {
    "sources": """
    vendor text NOT NULL,
    options jsonb NOT NULL,
    secret bytea
""",
    "models": """
    source_id uuid NOT NULL,
    revision_id uuid DEFAULT gen_random_uuid() NOT NULL,
    description text DEFAULT '' NOT NULL,
    source_table text NOT NULL,
    organization_column text NOT NULL,
    columns jsonb NOT NULL,
    filters jsonb DEFAULT '[]' NOT NULL,
    CONSTRAINT fk_models_environment_source_id FOREIGN KEY (environment, source_id)
        REFERENCES weighbridge.sources (environment, id)
""",
    "products": """
    models text[] NOT NULL
""",
    "recipients": """
    id_in_provider_system text NOT NULL,
    products text[] DEFAULT '{}' NOT NULL
""",
    "destinations": """
    recipient_id uuid NOT NULL,
    vendor text NOT NULL,
    options jsonb NOT NULL,
    secret bytea,
    by_recipient boolean DEFAULT false NOT NULL,
    enabled_models text[] NOT NULL,
    frequency_minutes integer DEFAULT 0 NOT NULL,
    is_enabled boolean DEFAULT true NOT NULL,
    max_concurrent_transfers integer DEFAULT 1 NOT NULL,
    max_concurrent_queries_per_transfer integer DEFAULT 1 NOT NULL,
    machine_type_id uuid,
    CONSTRAINT fk_destinations_environment_recipient_id FOREIGN KEY (environment, recipient_id)
        REFERENCES weighbridge.recipients (environment, id),
    CONSTRAINT ck_destinations_frequency_minutes
        CHECK (frequency_minutes IN (0, 15, 60, 360, 720, 1440)),
    CONSTRAINT ck_destinations_concurrency
        CHECK (max_concurrent_transfers > 0 AND max_concurrent_queries_per_transfer > 0)
""",
}
_ONCE = {
    "sources": "name", "models": "name", "products": "name",
    "recipients": "id_in_provider_system",
}  # fmt: skip
_TOKENS = """
CREATE TABLE weighbridge.scoped_tokens (
    id bigint GENERATED ALWAYS AS IDENTITY,
    environment text NOT NULL,
    public_id text NOT NULL,
    secret_hash bytea NOT NULL,
    recipient_id uuid NOT NULL,
    destination_id uuid,
    application_origin text NOT NULL,
    created_by bigint NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamptz DEFAULT clock_timestamp() + interval '1 hour' NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT pk_scoped_tokens PRIMARY KEY (id),
    CONSTRAINT ck_scoped_tokens_environment CHECK (environment IN ('production', 'staging')),
    CONSTRAINT uq_scoped_tokens_public_id UNIQUE (public_id),
    CONSTRAINT fk_scoped_tokens_created_by FOREIGN KEY (created_by)
        REFERENCES weighbridge.api_keys (id),
    CONSTRAINT fk_scoped_tokens_environment_recipient_id FOREIGN KEY (environment, recipient_id)
        REFERENCES weighbridge.recipients (environment, id),
    CONSTRAINT fk_scoped_tokens_environment_destination_id
        FOREIGN KEY (environment, destination_id)
        REFERENCES weighbridge.destinations (environment, id)
)
"""


def upgrade() -> None:
    """Make the catalog."""
    for table in _CATALOG:
        head = _HEAD.replace("{table}", table)
        op.execute(f"CREATE TABLE weighbridge.{table} ({head} {_BODIES[table]})")
    for table, column in _ONCE.items():
        op.execute(
            f"CREATE UNIQUE INDEX uq_{table}_{column} ON weighbridge.{table} (environment, {column})"
            " WHERE deleted_at IS NULL"
        )
    op.execute(
        "CREATE INDEX ix_destinations_recipient_id ON weighbridge.destinations (recipient_id)"
    )
    op.execute(_TOKENS)
    for table in _SEEN:
        op.execute(f"ALTER TABLE weighbridge.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE weighbridge.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY environment ON weighbridge.{table} USING ("
            "current_setting('weighbridge.environment', true) IN ('*', environment))"
        )
