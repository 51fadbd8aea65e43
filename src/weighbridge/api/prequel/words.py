"""What travels about models, named as Prequel names them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from weighbridge.api.prequel.envelope import Body, Moment, Reference, moment
from weighbridge.catalog.models import Model
from weighbridge.connectors.names import table_name

# In every destination there is a table of ours of this name.
RESERVED = "_transfer_status"

Column = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[^\x00-\x1f\x7f]*$")]
TableName = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$", description="Of the delivered table.")
]
DataType = Annotated[
    str,
    Field(
        pattern=r"^(boolean|smallint|integer|bigint|float|decimal(\([0-9]{1,2},[0-9]{1,2}\))?"
        r"|text|date|timestamp|json|uuid|binary)$",
        description="boolean, smallint, integer, bigint, float, decimal or decimal(p,s), text,"
        " date, timestamp, json, uuid, binary.",
    ),
]
Description = Annotated[str, Field(max_length=10_000, pattern=r"^[^\x00]*$")]
Value = str | int | float | bool


class ModelColumn(Body):
    """A column, as it is called on each side."""

    name_in_source: Column
    name_in_destination: Column
    data_type: DataType
    is_primary_key: bool = False
    is_last_modified: bool = False
    description: Description = ""


class Filter(Body):
    """A condition that a row must meet to be delivered; several must all be met."""

    column: Column = Field(description="Its name in the source.")
    operator: Literal["=", "!=", "<", "<=", ">", ">=", "in", "not in", "is null", "is not null"]
    value: Value | list[Value] | None = Field(None, description="A list for `in` and `not in`.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        wanted = {"in": list, "not in": list, "is null": type(None), "is not null": type(None)}
        kind = wanted.get(self.operator)
        plain = not isinstance(self.value, list) and self.value is not None
        if not (plain if kind is None else isinstance(self.value, kind)):
            said = {list: "a list", type(None): "no value", None: "one value"}[kind]
            raise ValueError(f"expected {said} with {self.operator}")
        return self


class NewModelFields(Body):
    """A table to deliver, to each recipient its rows."""

    model_name: TableName
    source_id: Reference
    source_table: str = Field(max_length=300, examples=["public.orders"])
    source_schema: Column | None = Field(None, description="Or as part of source_table.")
    organization_column: Column = Field(description="Whose value is id_in_provider_system.")
    description: Description = ""
    columns: list[ModelColumn] = Field(min_length=1, max_length=1600)
    filters: list[Filter] = Field(default_factory=list[Filter], max_length=50)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.model_name.lower() == RESERVED:
            raise ValueError(f"model_name: {RESERVED} is the name of a table of ours")
        names = [column.name_in_destination.lower() for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError("columns: expected different names in the destination")
        if any(len(name.encode()) > 63 for name in names):
            raise ValueError("columns: expected names of at most 63 bytes")
        if not any(column.is_primary_key for column in self.columns):
            raise ValueError("columns: expected one or more with is_primary_key")
        if sum(column.is_last_modified for column in self.columns) != 1:
            raise ValueError("columns: expected exactly one with is_last_modified")
        return self

    def table(self) -> str:
        """Give the source's table as one name. Raises BadArgument for what is none."""
        text = self.source_table
        if self.source_schema is not None:
            text = f"{_quoted(self.source_schema)}.{text}"
        return ".".join(_quoted(part) for part in table_name(text))


class NewModel(Body):
    """A model to store."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"model": {
            "model_name": "orders", "source_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
            "source_table": "public.orders", "organization_column": "customer_id",
            "columns": [
                {"name_in_source": "id", "name_in_destination": "id", "data_type": "bigint",
                 "is_primary_key": True},
                {"name_in_source": "updated_at", "name_in_destination": "updated_at",
                 "data_type": "timestamp", "is_last_modified": True},
            ],
        }}]},
    )  # fmt: skip

    model: NewModelFields


class ModelChangeFields(Body):
    """What is to change of a model; what is left out stays, lists are replaced."""

    model_name: TableName | None = None
    source_id: Reference | None = None
    source_table: str | None = Field(None, max_length=300)
    organization_column: Column | None = None
    description: Description | None = None
    columns: list[ModelColumn] | None = Field(None, min_length=1, max_length=1600)
    filters: list[Filter] | None = Field(None, max_length=50)


class ModelChange(Body):
    """A change of a model."""

    model: ModelChangeFields


class ColumnShown(BaseModel):
    """A column."""

    name_in_source: str
    name_in_destination: str
    data_type: str
    is_primary_key: bool
    is_last_modified: bool
    description: str


class ModelShown(BaseModel):
    """A model. A scoped token is not told where it comes from."""

    id: str
    model_name: str
    revision_id: str
    source_id: str
    source_table: str
    source_schema: str
    organization_column: str
    description: str
    columns: list[ColumnShown]
    filters: list[Filter]
    created_at: Moment
    updated_at: Moment


class ModelData(BaseModel):
    """One model."""

    model: ModelShown


class ModelsData(BaseModel):
    """Some models."""

    models: list[ModelShown]


def stored(model: NewModelFields) -> dict[str, Any]:
    """Give what is kept of a model, but for its source."""
    return {
        "name": model.model_name,
        "description": model.description,
        "source_table": model.table(),
        "organization_column": model.organization_column,
        "columns": [column.model_dump() for column in model.columns],
        "filters": [condition.model_dump() for condition in model.filters],
    }


def as_written(found: Model) -> dict[str, Any]:
    """Give a stored model as one would write it, to merge a change into."""
    return {
        "model_name": found.name,
        "source_id": str(found.source_id),
        "source_table": found.source_table,
        "organization_column": found.organization_column,
        "description": found.description,
        "columns": list(found.columns),
        "filters": list(found.filters),
    }


def model(found: Model, *, inside: bool) -> dict[str, Any]:
    """Write a model; `inside`: for those who may know where it comes from."""
    parts = table_name(found.source_table)
    columns = [
        {**column, "name_in_source": column["name_in_source" if inside else "name_in_destination"]}
        for column in found.columns
    ]
    return {
        "id": str(found.id),
        "model_name": found.name,
        "revision_id": str(found.revision_id),
        "source_id": str(found.source_id) if inside else "",
        "source_table": found.source_table if inside else "",
        "source_schema": parts[-2] if inside and len(parts) > 1 else "",
        "organization_column": found.organization_column if inside else "",
        "description": found.description,
        "columns": columns,
        "filters": list(found.filters) if inside else [],
        "created_at": moment(found.created_at),
        "updated_at": moment(found.updated_at),
    }


def _quoted(part: str) -> str:
    bare = part.replace("_", "a").isalnum() and part.isascii()
    return part if bare else '"' + part.replace('"', '""') + '"'
