"""Prequel's recipients and products: to whom is delivered, and what each may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from weighbridge.api.auth import Written
from weighbridge.api.paging import only_known
from weighbridge.api.prequel import paging, parties
from weighbridge.api.prequel.auth import (
    ReadsRecipients,
    SeesModels,
    WritesModels,
    WritesRecipients,
)
from weighbridge.api.prequel.envelope import (
    Answer,
    Nothing,
    PageAnswer,
    identity,
    problems,
    success,
)
from weighbridge.catalog import recipients as catalog

if TYPE_CHECKING:
    from sqlalchemy import Connection

router = APIRouter(tags=["recipients"])

RecipientId = Annotated[str, Path(max_length=100, description="Recipient ID.")]
ProductId = Annotated[str, Path(max_length=100, description="Product ID.")]


@router.post(
    "/recipients",
    summary="Create recipient",
    response_model=Answer[parties.RecipientData],
    responses=problems(),
)
def create_recipient(caller: WritesRecipients, body: parties.NewRecipient) -> Any:
    """Store a customer to whom is delivered."""

    def work(connection: Connection) -> Written:
        made = catalog.add_recipient(
            connection, body.recipient.model_dump(),
            environment=caller.key.environment, created_by=caller.key.id,
        )  # fmt: skip
        shown = parties.recipient(made)
        answer = success({"recipient": shown}, "The recipient was created.")
        return Written(answer, f"recipients/{made.id}", after=shown)

    return caller.writes("recipients.create", work)


@router.get(
    "/recipients",
    summary="List recipients",
    response_model=PageAnswer[parties.RecipientsData],
    response_model_exclude_unset=True,
    responses=problems(),
)
def list_recipients(
    caller: ReadsRecipients,
    request: Request,
    page: paging.Page,
    id_in_provider_system: Annotated[
        str | None, Query(max_length=10_000, description="Tenant values, joined by commas.")
    ] = None,
) -> Any:
    """List the recipients, by page."""
    only_known(request, {*paging.PARAMETERS, "id_in_provider_system"})
    tenants = () if id_in_provider_system is None else id_in_provider_system.split(",")
    with caller.sees() as connection:
        found, more = catalog.list_recipients(connection, page, tenants=tenants)
    shown = {"recipients": [parties.recipient(one) for one in found]}
    return {**success(shown), **paging.next_page(request, found, more=more)}


@router.get(
    "/recipients/{recipient_id}",
    summary="Get recipient",
    response_model=Answer[parties.RecipientData],
    responses=problems(404),
)
def get_recipient(caller: ReadsRecipients, recipient_id: RecipientId) -> Any:
    """Give a recipient."""
    with caller.sees() as connection:
        found = catalog.get_recipient(connection, identity(recipient_id, "recipient"))
    return success({"recipient": parties.recipient(found)})


@router.patch(
    "/recipients/{recipient_id}",
    summary="Update recipient",
    response_model=Answer[parties.RecipientData],
    responses=problems(404),
)
def change_recipient(
    caller: WritesRecipients, recipient_id: RecipientId, body: parties.RecipientChange
) -> Any:
    """Change the name or the products."""

    def work(connection: Connection) -> Written:
        number = identity(recipient_id, "recipient")
        change = body.recipient.model_dump(exclude_none=True)
        before, after = catalog.change_recipient(connection, number, change)
        shown = parties.recipient(after)
        return Written(
            success({"recipient": shown}, "The recipient was changed."), f"recipients/{number}",
            before=parties.recipient(before), after=shown,
        )  # fmt: skip

    return caller.writes("recipients.change", work)


@router.delete(
    "/recipients/{recipient_id}",
    summary="Delete recipient",
    response_model=Answer[Nothing],
    responses=problems(404),
)
def delete_recipient(caller: WritesRecipients, recipient_id: RecipientId) -> Any:
    """Delete a recipient without destinations; its tokens open nothing any more."""

    def work(connection: Connection) -> Written:
        gone = catalog.delete_recipient(connection, identity(recipient_id, "recipient"))
        answer = success({}, "The recipient was deleted.")
        return Written(answer, f"recipients/{gone.id}", before=parties.recipient(gone))

    return caller.writes("recipients.delete", work)


@router.post(
    "/products",
    summary="Create product",
    response_model=Answer[parties.ProductData],
    responses=problems(),
)
def create_product(caller: WritesModels, body: parties.NewProduct) -> Any:
    """Store models under one name, to which recipients subscribe."""

    def work(connection: Connection) -> Written:
        made = catalog.add_product(
            connection, {"name": body.product.product_name, "models": body.product.models},
            environment=caller.key.environment, created_by=caller.key.id,
        )  # fmt: skip
        shown = parties.product(made)
        answer = success({"product": shown}, "The product was created.")
        return Written(answer, f"products/{made.id}", after=shown)

    return caller.writes("products.create", work)


@router.get(
    "/products",
    summary="List products",
    response_model=PageAnswer[parties.ProductsData],
    response_model_exclude_unset=True,
    responses=problems(),
)
def list_products(caller: SeesModels, request: Request, page: paging.Page) -> Any:
    """List the products, by page; with a scoped token those of its recipient."""
    only_known(request, paging.PARAMETERS)
    with caller.sees() as connection:
        own = caller.sight.recipient
        names = None
        if own is not None:
            names = catalog.get_recipient(connection, own).products or [catalog.DEFAULT]
        found, more = catalog.list_products(connection, page, names=names)
    shown = {"products": [parties.product(one) for one in found]}
    return {**success(shown), **paging.next_page(request, found, more=more)}


@router.patch(
    "/products/{product_id}",
    summary="Update product",
    response_model=Answer[parties.ProductData],
    responses=problems(404),
)
def change_product(caller: WritesModels, product_id: ProductId, body: parties.ProductChange) -> Any:
    """Change the models of a product."""

    def work(connection: Connection) -> Written:
        number = identity(product_id, "product")
        change = body.product.model_dump(exclude_none=True)
        before, after = catalog.change_product(connection, number, change)
        shown = parties.product(after)
        return Written(
            success({"product": shown}, "The product was changed."), f"products/{number}",
            before=parties.product(before), after=shown,
        )  # fmt: skip

    return caller.writes("products.change", work)


@router.delete(
    "/products/{product_id}",
    summary="Delete product",
    response_model=Answer[Nothing],
    responses=problems(404),
)
def delete_product(caller: WritesModels, product_id: ProductId) -> Any:
    """Delete a product that no recipient subscribes to."""

    def work(connection: Connection) -> Written:
        gone = catalog.delete_product(connection, identity(product_id, "product"))
        answer = success({}, "The product was deleted.")
        return Written(answer, f"products/{gone.id}", before=parties.product(gone))

    return caller.writes("products.delete", work)
