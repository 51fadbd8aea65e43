"""Prequel's models: what is delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import ValidationError

from weighbridge.api.auth import Written
from weighbridge.api.paging import only_known
from weighbridge.api.prequel import paging, words
from weighbridge.api.prequel.auth import Caller, SeesModels, WritesModels
from weighbridge.api.prequel.envelope import (
    Answer,
    Nothing,
    PageAnswer,
    identity,
    problems,
    reference,
    success,
)
from weighbridge.catalog import models as catalog
from weighbridge.catalog.recipients import get_recipient, models_of
from weighbridge.connectors.destinations.registry import complaint
from weighbridge.connectors.destinations.shapes import merged
from weighbridge.errors import BadArgument

if TYPE_CHECKING:
    from sqlalchemy import Connection

router = APIRouter(tags=["models"])

ModelId = Annotated[str, Path(max_length=100, description="Model ID.")]


@router.post(
    "/models",
    summary="Create model",
    response_model=Answer[words.ModelData],
    responses=problems(),
)
def create_model(caller: WritesModels, body: words.NewModel) -> Any:
    """Store a model: which table is delivered, which of its columns, and whose rows they are."""

    def work(connection: Connection) -> Written:
        values = words.stored(body.model)
        values["source_id"] = reference(body.model.source_id, "source_id")
        made = catalog.add_model(
            connection, values, environment=caller.key.environment, created_by=caller.key.id
        )
        shown = words.model(made, inside=True)
        answer = success({"model": shown}, "The model was created.")
        return Written(answer, f"models/{made.id}", after=shown)

    return caller.writes("models.create", work)


@router.get(
    "/models",
    summary="List models",
    response_model=PageAnswer[words.ModelsData],
    response_model_exclude_unset=True,
    responses=problems(),
)
def list_models(
    caller: SeesModels,
    request: Request,
    page: paging.Page,
    model_name: Annotated[
        str | None, Query(max_length=10_000, description="Names, joined by commas.")
    ] = None,
) -> Any:
    """List the models, by page; with a scoped token those that its recipient may have."""
    only_known(request, {*paging.PARAMETERS, "model_name"})
    wanted = None if model_name is None else {name.strip() for name in model_name.split(",")}
    with caller.sees() as connection:
        allowed = _allowed(connection, caller)
        names = allowed if wanted is None else wanted if allowed is None else wanted & allowed
        found, more = catalog.list_models(connection, page, names=names)
    shown = {"models": [words.model(one, inside=caller.token is None) for one in found]}
    return {**success(shown), **paging.next_page(request, found, more=more)}


@router.get(
    "/models-for-recipient",
    summary="List a recipient's models",
    response_model=Answer[words.ModelsData],
    responses=problems(),
)
def models_for_recipient(caller: SeesModels) -> Any:
    """List all models that the recipient of a scoped token may have."""
    if caller.token is None:
        raise BadArgument("This list is for a scoped token.", next_step="Use GET /models.")
    with caller.sees() as connection:
        found = catalog.every_model(connection, names=_allowed(connection, caller))
    return success({"models": [words.model(one, inside=False) for one in found]})


@router.get(
    "/models/{model_id}",
    summary="Get model",
    response_model=Answer[words.ModelData],
    responses=problems(404),
)
def get_model(caller: SeesModels, model_id: ModelId) -> Any:
    """Give a model."""
    with caller.sees() as connection:
        allowed = _allowed(connection, caller)
        found = catalog.get_model(connection, identity(model_id, "model"), names=allowed)
    return success({"model": words.model(found, inside=caller.token is None)})


@router.patch(
    "/models/{model_id}",
    summary="Update model",
    response_model=Answer[words.ModelData],
    responses=problems(404),
)
def change_model(caller: WritesModels, model_id: ModelId, body: words.ModelChange) -> Any:
    """Change what is sent; lists are replaced. Its revision changes with it."""
    change = body.model.model_dump(exclude_unset=True)

    def values(before: catalog.Model) -> dict[str, Any]:
        try:
            whole = words.NewModelFields.model_validate(merged(words.as_written(before), change))
        except ValidationError as error:
            raise BadArgument(
                f"{complaint(error, 'model')}.", next_step="Correct the field."
            ) from None
        return {**words.stored(whole), "source_id": reference(whole.source_id, "source_id")}

    def work(connection: Connection) -> Written:
        number = identity(model_id, "model")
        before, after = catalog.change_model(connection, number, values)
        shown = words.model(after, inside=True)
        return Written(
            success({"model": shown}, "The model was changed."), f"models/{number}",
            before=words.model(before, inside=True), after=shown,
        )  # fmt: skip

    return caller.writes("models.change", work)


@router.delete(
    "/models/{model_id}",
    summary="Delete model",
    response_model=Answer[Nothing],
    responses=problems(404),
)
def delete_model(caller: WritesModels, model_id: ModelId) -> Any:
    """Delete a model. What was delivered of it stays where it is."""

    def work(connection: Connection) -> Written:
        gone = catalog.delete_model(connection, identity(model_id, "model"))
        answer = success({}, "The model was deleted.")
        return Written(answer, f"models/{gone.id}", before=words.model(gone, inside=True))

    return caller.writes("models.delete", work)


def _allowed(connection: Connection, caller: Caller) -> frozenset[str] | None:
    """Give the names of the models that may be seen; None: every one."""
    own = caller.sight.recipient
    return None if own is None else models_of(connection, get_recipient(connection, own))
