"""Whole options of every vendor, with sensible values for every field of the published document."""

from __future__ import annotations

from typing import Any

SECRET = "canary-{n}-8f2c"
_PASSWORD = {"username": "loader", "password": SECRET.format(n="password")}
_AWS = {"access_id": "AKIA1", "secret_key": SECRET.format(n="aws")}
_ROLE = {"aws_iam_role_arn": "arn:aws:iam::123456789012:role/service-role/role-name"}
_GCP_ROLE = {"service_account_email": "jsmith@example.com"}
_GCP_KEY = {
    "service_account_email": "name@project.iam.gserviceaccount.com",
    "service_account_key": {"type": "service_account", "private_key": SECRET.format(n="gcp")},
}
_HMAC = {"access_key": "GOOG1", "secret": SECRET.format(n="hmac")}
_OAUTH = {"client_id": "client", "client_secret": SECRET.format(n="oauth")}
_BUCKET = {"bucket_name": "lake", "bucket_region": "eu-west-1"}
_TUNNEL = {
    "ssh_tunnel_host": "bastion.example.com", "ssh_tunnel_port": 2222,
    "ssh_tunnel_username": "hop",
}  # fmt: skip
_SERVER = {"host": "db.example.com", "password_auth": _PASSWORD, "auth_method": "password_auth"}
_TUNNELLED = {"use_ssh_tunnel": True, "ssh_tunnel": _TUNNEL, "disable_ssl": True}

_POSTGRES = {
    **_SERVER, **_TUNNELLED, "port": 5433, "database": "d", "schema": "s",
    "connection_timeout_in_seconds": 5,
}  # fmt: skip
_MYSQL = {
    **_SERVER, **_TUNNELLED, "port": 3307, "connection_database": "d", "write_database": "w",
}  # fmt: skip
_S3_OWN = {**_BUCKET, "folder": "f", "bucket_auth_method": "aws_iam_role", "aws_iam_role": _ROLE}

WHOLE: dict[str, dict[str, Any]] = {
    "abs": {
        "folder": "f", "container_name": "c", "storage_account_name": "a",
        "auth_method": "azure_service_shared_access_signature",
        "azure_service_shared_access_signature": {
            "shared_access_signature_token": SECRET.format(n="sas")
        },
        "disable_manifest": True, "csv": {"delimiter": ";"}, "file_format": "csv",
    },
    "athena": {
        "workgroup": "w", "connection_database": "d", "write_database": "w",
        "aws_access_keys": _AWS, "bucket_s3": _BUCKET,
    },
    "aurora_mysql": _MYSQL, "mysql": _MYSQL, "planetscale": _MYSQL, "singlestore": _MYSQL,
    "aurora_postgres": _POSTGRES, "postgres": _POSTGRES,
    "clickhouse": {
        **_SERVER, "port": 9440, "cluster": "c", "connection_database": "d",
        "write_database": "w", "disable_ssl": True, "bucket_vendor": "bucket_gcs",
        "bucket_s3": {**_BUCKET, "aws_access_keys": _AWS},
        "bucket_gcs": {"bucket_name": "lake", "gcs_hmac_keys": _HMAC},
    },
    "databricks": {
        "host": "x.cloud.databricks.example", "port": 443, "schema": "s", "catalog": "c",
        "http_path": "/sql/1.0/warehouses/1", "oauth_client_secret_auth": _OAUTH,
        "hive": {
            "bucket_vendor": "bucket_s3", "bucket_s3": {**_BUCKET, "aws_access_keys": _AWS}
        },
        "use_ssh_tunnel": True, "ssh_tunnel": _TUNNEL,
    },
    "delta_lake": {
        "bucket_vendor": "bucket_abs",
        "bucket_abs": {
            "storage_account_name": "a",
            "bucket_auth_method": "azure_storage_account_access_key",
            "azure_storage_account_access_key": {
                "storage_account_access_key": SECRET.format(n="azure")
            },
        },
        "bucket_gcs": {
            "bucket_auth_method": "gcp_service_account_key",
            "gcp_service_account_role": _GCP_ROLE, "gcp_service_account_key": _GCP_KEY,
        },
        "bucket_s3_compatible": {
            "disable_ssl": True, "bucket_auth_method": "access_keys", "access_keys": _AWS,
        },
        "retention_window_days": 30, "column_mapping_mode": "name",
        "deletion_vectors_disabled": True, "change_data_feed_disabled": True,
    },
    "gcs": {
        "disable_manifest": True, "folder": "f", "auth_method": "gcs_hmac_keys",
        "gcp_service_account_role": _GCP_ROLE, "gcs_hmac_keys": _HMAC, "bucket_name": "lake",
    },
    "google_sheets": {"host": "https://docs.google.com/spreadsheets/d/1"},
    "iceberg": {
        "catalog_vendor": "catalog_iceberg_rest",
        "catalog_iceberg_rest": {
            "auth_method": "oauth_bearer_token_auth",
            "oauth_bearer_token_auth": {"password": SECRET.format(n="bearer")},
            "oauth_client_secret_auth": _OAUTH,
            "storage_options": {
                "bucket_vendor": "bucket_s3", "bucket_s3": _S3_OWN,
                "bucket_gcs": {
                    "bucket_auth_method": "gcp_service_account_role",
                    "gcp_service_account_role": _GCP_ROLE, "bucket_name": "lake", "folder": "f",
                },
            },
            "namespace": "n", "warehouse": "w",
        },
        "catalog_glue": {"storage_options": {"bucket_s3": _S3_OWN}, "database": "d"},
        "catalog_s3_tables": {
            "storage_options": {"bucket_s3": _S3_OWN}, "database": "d",
            "table_bucket_arn": "arn:aws:s3tables:eu-west-1:123456789012:bucket/b",
        },
        "catalog_google_lakehouse": {
            "project_id": "p", "catalog_name": "c", "schema": "s", "bucket_name": "lake",
            "auth_method": "gcp_service_account_key",
            "gcp_service_account_role": _GCP_ROLE, "gcp_service_account_key": _GCP_KEY,
        },
        "retention_window_days": 1,
    },
    "mongodb": {
        "host": "m.example.com", "port": 27018, "authentication_database": "admin",
        "write_database": "w", "password_auth": _PASSWORD, **_TUNNELLED,
    },
    "motherduck": {
        "database": "d", "schema": "s", "auth_method": "access_token_auth",
        "access_token_auth": {"access_token": SECRET.format(n="token")},
    },
    "oracle": {
        **_SERVER, **_TUNNELLED, "port": 1522, "database": "d", "schema": "s",
        "ssl_options": {"wallet": SECRET.format(n="wallet")},
    },
    "sftp": {
        "username": "u", "host": "sftp.example.com", "port": 2022, "folder": "in",
        "auth_method": "public_key_auth", "public_key_auth": {"public_key": "ssh-ed25519 AAAA"},
    },
    "snowflake": {
        "username": "u", "host": "x.snowflakecomputing.example", "port": 443, "database": "d",
        "schema": "s",
    },
    "sql_server": {
        **_SERVER, **_TUNNELLED, "port": 1434, "database": "d", "schema": "s",
        "primary_key_collation": "Latin1_General_BIN2",
    },
    "s3": {
        "disable_manifest": True, "folder": "f", "aws_access_keys": _AWS, **_BUCKET,
        "use_ssh_tunnel": True, "ssh_tunnel": _TUNNEL,
    },
    "s3_compatible": {
        "host": "minio.example.com:9000", "folder": "f", "bucket_name": "lake",
        "disable_ssl": True, "auth_method": "access_keys", "access_keys": _AWS,
    },
    "bigquery": {
        "project_id": "p", "schema": "s", "auth_method": "gcp_service_account_key",
        "gcp_service_account_key": _GCP_KEY, "bucket_gcs": _BUCKET,
    },
    "redshift": {
        "host": "r.example.com", "port": 5440, "database": "d", "schema": "s", "cluster": "c",
        "username": "u", "aws_access_keys": {**_AWS, "password": SECRET.format(n="redshift")},
        "bucket_s3": _BUCKET,
    },
    "redshift_serverless": {
        "workgroup": "w", "host": "r.example.com", "port": 5440, "database": "d", "schema": "s",
        "auth_method": "aws_iam_role", "aws_iam_role": _ROLE, "bucket_s3": _BUCKET,
    },
}  # fmt: skip
