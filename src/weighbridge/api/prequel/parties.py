"""What travels about products, recipients, tokens and keys, named as Prequel names them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from weighbridge.api.prequel.envelope import Body, Moment, Name, Reference, moment
from weighbridge.catalog.recipients import Product, Recipient

Names = Annotated[list[Name], Field(max_length=10_000)]
Tenant = Annotated[
    str,
    Field(
        max_length=1000, pattern=r"^[^\x00]*$",
        description="The value of organization_column whose rows are this recipient's.",
    ),
]  # fmt: skip


class NewProductFields(Body):
    """Models under one name; recipients without products get the one named `default`."""

    product_name: Name
    models: Names


class NewProduct(Body):
    """A product to store."""

    product: NewProductFields


class ProductChangeFields(Body):
    """What is to change of a product. Its name stays: recipients know it by that."""

    models: Names | None = None


class ProductChange(Body):
    """A change of a product."""

    product: ProductChangeFields


class ProductShown(BaseModel):
    """A product."""

    id: str
    product_name: str
    models: list[str]
    created_at: Moment
    updated_at: Moment


class ProductData(BaseModel):
    """One product."""

    product: ProductShown


class ProductsData(BaseModel):
    """Some products."""

    products: list[ProductShown]


class NewRecipientFields(Body):
    """A customer to whom is delivered."""

    name: Name
    id_in_provider_system: Tenant
    products: Names = Field(default_factory=list[str])


class NewRecipient(Body):
    """A recipient to store."""

    recipient: NewRecipientFields


class RecipientChangeFields(Body):
    """What is to change of a recipient. Its tenant value stays."""

    name: Name | None = None
    products: Names | None = None


class RecipientChange(Body):
    """A change of a recipient."""

    recipient: RecipientChangeFields


class RecipientShown(BaseModel):
    """A recipient."""

    id: str
    name: str
    id_in_provider_system: str
    products: list[str]
    created_at: Moment
    updated_at: Moment


class RecipientData(BaseModel):
    """One recipient."""

    recipient: RecipientShown


class RecipientsData(BaseModel):
    """Some recipients."""

    recipients: list[RecipientShown]


def product(found: Product) -> dict[str, Any]:
    """Write a product."""
    return {
        "id": str(found.id),
        "product_name": found.name,
        "models": list(found.models),
        "created_at": moment(found.created_at),
        "updated_at": moment(found.updated_at),
    }


def recipient(found: Recipient) -> dict[str, Any]:
    """Write a recipient."""
    return {
        "id": str(found.id),
        "name": found.name,
        "id_in_provider_system": found.id_in_provider_system,
        "products": list(found.products),
        "created_at": moment(found.created_at),
        "updated_at": moment(found.updated_at),
    }


# Tokens and keys -------------------------------------------------------------------------


class TokenDestination(BaseModel):
    """For which destination a token is: by its id that one alone; else by whose it is to be."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    id: Reference | None = None
    recipient_id: Reference | None = None
    id_in_provider_system: Tenant | None = None


class NewToken(Body):
    """A wish for a scoped token."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{
            "application_origin": "https://app.acme.example",
            "recipient_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
        }]},
    )  # fmt: skip

    application_origin: str = Field(
        min_length=1, max_length=1000, pattern=r"^[\x21-\x7e]+$", description="Sent as X-APP-ID."
    )
    recipient_id: Reference | None = None
    destination: TokenDestination | None = None


class TokenData(BaseModel):
    """A token, shown this once; it opens for an hour."""

    scoped_token: str


class OldToken(Body):
    """A token that is to open nothing any more."""

    scoped_token: str = Field(max_length=300)


class SshKeyData(BaseModel):
    """The public half of a new pair; the private one stays here."""

    public_key: str = Field(description="A line for authorized_keys; send it back as it is.")
    public_key_pkcs8: str = Field(description="The same as PEM.")
