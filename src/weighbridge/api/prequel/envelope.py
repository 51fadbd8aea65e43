"""The envelope of bodies and answers, and the values that all of them share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from weighbridge.errors import BadArgument, NoSuchObject

T = TypeVar("T")
# The contract types times as present always; this stands for one that has not come yet.
NEVER = "0001-01-01T00:00:00Z"

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Reference = Annotated[str, Field(max_length=64, json_schema_extra={"format": "uuid"})]


class Body(BaseModel):
    """A body of a request: unknown fields are refused, and no error repeats a value."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Answer(BaseModel, Generic[T]):
    """The envelope of every answer."""

    status: Literal["success"]
    data: T
    message: str


class PageAnswer(Answer[T], Generic[T]):
    """The envelope of a page."""

    has_next: bool = Field(description="Whether there is another page.")
    next_url: str = Field("", description="The address of the next page; only if there is one.")


class Nothing(BaseModel):
    """No data."""


class ErrorAnswer(BaseModel):
    """The envelope of every error."""

    status: Literal["error"]
    message: str = Field(examples=["page_size: expected less than or equal to 100."])
    data: None = None


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the errors of a route, beside 400, 401 and 500."""
    words = {
        400: "Bad Request",
        401: "Unauthorized",
        404: "Not Found",
        500: "Internal Server Error",
    }
    return {
        status: {"model": ErrorAnswer, "description": words[status]}
        for status in sorted({400, 401, 500, *statuses})
    }


def success(data: dict[str, Any], message: str = "") -> dict[str, Any]:
    """Write an answer."""
    return {"status": "success", "data": data, "message": message}


def moment(value: datetime | None) -> str:
    """Write a moment as the contract does; `NEVER` for one that has not come."""
    if value is None:
        return NEVER
    return value.isoformat(timespec="microseconds").replace("+00:00", "Z")


def identity(text: str, what: str) -> UUID:
    """Read an id of a path; what is none is the id of nothing. Raises NoSuchObject."""
    try:
        return UUID(text)
    except ValueError:
        raise NoSuchObject(
            f"There is no {what} {text[:60]!r}.",
            next_step=f"GET /{what}s lists those that may be seen.",
        ) from None


def reference(text: str, field: str) -> UUID:
    """Read an id of a body. Raises BadArgument."""
    try:
        return UUID(text)
    except ValueError:
        raise BadArgument(f"{field}: expected a uuid.", next_step="Correct the field.") from None
