"""What every vendor's options are made of: fields with limits, secrets, and choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, Secret, SecretStr, model_validator

# No control characters: such a value is a mistake, and our database cannot keep NUL.
_PRINTED = r"^[^\x00-\x1f\x7f]*$"

Text = Annotated[str, Field(max_length=1000, pattern=_PRINTED)]
Needed = Annotated[str, Field(min_length=1, max_length=1000, pattern=_PRINTED)]
# The last word has `net`, when it is connected to; this keeps out what can never be a host.
Host = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9._-]+$|^\[?[0-9A-Fa-f:.]+\]?$")
]
Endpoint = Annotated[
    str, Field(min_length=1, max_length=260, pattern=r"^[A-Za-z0-9._-]+(:[0-9]{1,5})?$")
]
Port = Annotated[int, Field(ge=1, le=65535)]
Email = Annotated[str, Field(max_length=320, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$")]
Arn = Annotated[str, Field(max_length=2048, pattern=r"^arn:[^\s\x00-\x1f]+$")]
Password = Annotated[SecretStr, Field(min_length=1, max_length=20_000)]
# A whole object that is secret, such as the key file of a service account.
SecretObject = Secret[dict[str, Any]]


@dataclass(frozen=True)
class Choice:
    """A field that names which of some objects counts; left out, the only one given counts.

    `bare` are choices that need no object. An `optional` choice may be no choice at all.
    """

    field: str
    objects: tuple[str, ...]
    bare: tuple[str, ...] = ()
    optional: bool = False


class Options(BaseModel):
    """Fields of one vendor, or of an object inside them. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, validate_by_name=False)

    choices: ClassVar[tuple[Choice, ...]] = ()

    @model_validator(mode="after")
    def _decided(self) -> Self:
        for choice in self.choices:
            self._decide(choice)
        return self

    def _decide(self, choice: Choice) -> None:
        given = [name for name in choice.objects if getattr(self, name) is not None]
        chosen = getattr(self, choice.field)
        if chosen is None and len(given) == 1:
            chosen = given[0]
        elif chosen is None and not given and (choice.bare or choice.optional):
            chosen = choice.bare[0] if choice.bare else None
        elif chosen is None:
            known = ", ".join((*choice.objects, *choice.bare))
            raise ValueError(
                f"expected {choice.field} to name one of {known}"
                if given
                else f"expected one of {known}"
            )
        if chosen in choice.objects and chosen not in given:
            raise ValueError(f"expected {chosen}, because {choice.field} is {chosen}")
        # Written down, so that the meaning of what is stored does not hang on a later default.
        object.__setattr__(self, choice.field, chosen)
