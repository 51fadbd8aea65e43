"""Options of all vendors: every published field is taken, unknown ones are refused, secrets stay."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.contract import prequel_seed
from tests.unit.connectors.vendor_examples import WHOLE
from weighbridge.connectors.destinations import registry, shapes
from weighbridge.connectors.destinations.options import Options
from weighbridge.connectors.destinations.registry import VENDORS
from weighbridge.errors import BadArgument

ALL = sorted(VENDORS)
# What the published document shows as the value that holds without one.
DEFAULTS = {
    "abs": {"auth_method": "azure_service_shared_access_signature", "disable_manifest": False},
    "delta_lake": {
        "retention_window_days": 7, "column_mapping_mode": "none",
        "deletion_vectors_disabled": False, "change_data_feed_disabled": False,
    },
    "gcs": {"disable_manifest": False},
    "iceberg": {"retention_window_days": 7},
    "mongodb": {"port": 27017},
    "motherduck": {"auth_method": "access_token_auth"},
    "postgres": {"auth_method": "password_auth"},
    "s3": {"disable_manifest": False},
    "sftp": {"auth_method": "public_key_auth"},
}  # fmt: skip


def test_the_vendors_are_those_of_the_document_and_four_more() -> None:
    assert len(prequel_seed.VENDORS) == 21
    more = {"bigquery", "redshift", "redshift_serverless", "s3_compatible"}
    assert set(VENDORS) == set(prequel_seed.VENDORS) | more == set(WHOLE)


def walk(value: Mapping[str, Any], at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """List the path of every object inside, and the empty one."""
    yield at
    for name, inside in value.items():
        if isinstance(inside, dict) and name != "service_account_key":
            yield from walk(inside, (*at, name))


def put(value: dict[str, Any], path: tuple[str, ...], name: str, to: Any) -> dict[str, Any]:
    """Give a copy with one field more."""
    changed = json.loads(json.dumps(value))  # shared parts are copied apart
    prequel_seed.at(changed, path)[name] = to
    return changed


@pytest.mark.parametrize("vendor", ALL)
def test_every_published_field_is_taken(vendor: str) -> None:
    whole = WHOLE[vendor]
    taken = shapes.plain(registry.checked(VENDORS[vendor], whole))
    for path in prequel_seed.paths(prequel_seed.VENDORS.get(vendor, {})):
        if path[-1] in {"auth_method", "bucket_auth_method"}:
            assert prequel_seed.at(taken, path)
        else:
            assert prequel_seed.at(taken, path) == prequel_seed.at(whole, path), path


@pytest.mark.parametrize("vendor", ALL)
def test_unknown_fields_are_refused_wherever_they_stand(vendor: str) -> None:
    for path in walk(WHOLE[vendor]):
        with pytest.raises(BadArgument) as raised:
            registry.checked(VENDORS[vendor], put(WHOLE[vendor], path, "hots", "canary-x"))
        assert (
            raised.value.message == f"{'.'.join((vendor, *path, 'hots'))}: there is no such field."
        )


@pytest.mark.parametrize("vendor", ALL)
def test_a_value_of_another_kind_is_named_and_not_repeated(vendor: str) -> None:
    for path in prequel_seed.paths(WHOLE[vendor]):
        if "service_account_key" in path:
            continue
        wrong = put(WHOLE[vendor], path[:-1], path[-1], {"canary": "canary-y"})
        with pytest.raises(BadArgument) as raised:
            registry.checked(VENDORS[vendor], wrong)
        assert ".".join((vendor, *path)) in raised.value.message
        assert "expected" in raised.value.message
        assert "canary" not in str(raised.value)


@pytest.mark.parametrize("vendor", ALL)
def test_what_is_needed_is_asked_for(vendor: str) -> None:
    with pytest.raises(BadArgument, match=f"{vendor}.*expected"):
        registry.checked(VENDORS[vendor], {})


@pytest.mark.parametrize("vendor", DEFAULTS)
def test_defaults_are_the_published_ones(vendor: str) -> None:
    without = {k: v for k, v in WHOLE[vendor].items() if k not in DEFAULTS[vendor]}
    found = shapes.plain(registry.checked(VENDORS[vendor], without))
    assert {name: found[name] for name in DEFAULTS[vendor]} == DEFAULTS[vendor]


def secrets_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inside in value.values():
            yield from secrets_in(inside)
    elif isinstance(value, str) and value.startswith("canary-"):
        yield value


@pytest.mark.parametrize("vendor", ALL)
def test_secrets_are_apart_and_make_the_whole_again(vendor: str) -> None:
    model = registry.checked(VENDORS[vendor], WHOLE[vendor])
    shown, hidden = shapes.split(model)
    assert list(secrets_in(shown)) == []
    assert sorted(secrets_in(hidden)) == sorted(secrets_in(WHOLE[vendor]))
    for secret in secrets_in(WHOLE[vendor]):
        assert secret not in repr(model) + str(model)
    assert shapes.merged(shown, hidden) == shapes.plain(model)
    again = registry.checked(VENDORS[vendor], shapes.merged(shown, hidden))
    assert again == model


@pytest.mark.parametrize("vendor", ALL)
def test_the_published_schemas_hold_for_the_examples(vendor: str) -> None:
    kind = VENDORS[vendor].options
    Draft202012Validator(kind.model_json_schema()).validate(WHOLE[vendor])
    Draft202012Validator(shapes.change_of(kind).model_json_schema()).validate(WHOLE[vendor])
    shown, _ = shapes.split(registry.checked(VENDORS[vendor], WHOLE[vendor]))
    public = shapes.public_of(kind).model_json_schema()
    Draft202012Validator(public).validate(shown)
    assert "writeOnly" not in json.dumps(public)


@pytest.mark.parametrize("vendor", ALL)
def test_what_cannot_be_reached_says_why(vendor: str) -> None:
    found = VENDORS[vendor]
    assert (found.side is None and found.attempt is None) == bool(found.not_yet)
    if found.side is None:
        with pytest.raises(BadArgument, match="cannot be reached yet"):
            registry.side(found, registry.checked(found, WHOLE[vendor]), "x")


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("postgres", {"port": 0}, "postgres.port"),
    ("postgres", {"port": 65536}, "less than or equal to 65535"),
    ("postgres", {"host": "a,b"}, "postgres.host"),
    ("postgres", {"host": "/run/db"}, "postgres.host"),
    ("postgres", {"host": "u@h"}, "postgres.host"),
    ("postgres", {"schema": ""}, "postgres.schema"),
    ("postgres", {"schema": "a\x00b"}, "postgres.schema"),
    ("postgres", {"connection_timeout_in_seconds": 0}, "connection_timeout_in_seconds"),
    ("postgres", {"auth_method": "aws_iam_role"}, "password_auth"),
    ("postgres", {"ssh_tunnel": None}, "expected ssh_tunnel, because use_ssh_tunnel is true"),
    ("mysql", {"write_database": None}, "mysql.write_database: expected"),
    ("mongodb", {"auth_method": "aws_iam_role"}, "expected aws_iam_role, because auth_method"),
    ("mongodb", {"password_auth": None}, "expected one of aws_iam_role, password_auth"),
    ("gcs", {"auth_method": None}, "expected auth_method to name one of"),
    ("clickhouse", {"bucket_vendor": "bucket_abs"}, "clickhouse.bucket_vendor"),
    ("delta_lake", {"column_mapping_mode": "names"}, "'none', 'name' or 'id'"),
    ("delta_lake", {"retention_window_days": -1}, "greater than or equal to 0"),
    ("iceberg", {"catalog_vendor": None}, "expected catalog_vendor to name one of"),
    ("s3_compatible", {"host": "http://x/y"}, "s3_compatible.host"),
    ("abs", {"csv": {"delimiter": "\n"}}, "abs.csv.delimiter"),
    ("athena", {"bucket_s3": {"bucket_name": None}}, "athena.bucket_s3.bucket_name: expected"),
    ("redshift_serverless", {"aws_iam_role": {"aws_iam_role_arn": "x"}}, "aws_iam_role_arn"),
]


@pytest.mark.parametrize(("vendor", "change", "says"), WRONG)
def test_wrong_after_the_merge(vendor: str, change: dict[str, Any], says: str) -> None:
    with pytest.raises(BadArgument) as raised:
        registry.changed(VENDORS[vendor], WHOLE[vendor], change)
    assert says in str(raised.value)
    assert "canary" not in str(raised.value)


def test_a_choice_that_was_left_out_is_written_down() -> None:
    found = registry.checked(VENDORS["athena"], WHOLE["athena"])
    assert shapes.split(found)[0]["auth_method"] == "aws_access_keys"
    databricks = registry.checked(VENDORS["databricks"], WHOLE["databricks"])
    assert shapes.split(databricks)[0]["metastore"] == "hive"


def test_an_unknown_vendor_is_answered_with_near_names() -> None:
    with pytest.raises(BadArgument, match="Did you mean postgres"):
        registry.find_vendor("postgress")
    with pytest.raises(BadArgument, match="vendor: 's3' is not"):
        registry.find_vendor("s3", source=True)


# The merge against an oracle: paths and their values, of which the change's win -------------


def leaves(value: Mapping[str, Any], at: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {}
    for name, inside in value.items():
        if isinstance(inside, dict):
            found |= leaves(inside, (*at, name))
        else:
            found[*at, name] = inside
    return found


OBJECT = "an object"


def nodes(value: Mapping[str, Any], at: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """List what lies at each path, an object before what is in it."""
    found: dict[tuple[str, ...], Any] = {at: OBJECT}
    for name, inside in value.items():
        found |= nodes(inside, (*at, name)) if isinstance(inside, dict) else {(*at, name): inside}
    return found


def oracle(whole: Mapping[str, Any], change: Mapping[str, Any]) -> dict[tuple[str, ...], Any]:
    """Merge by paths: all below a path goes, unless an object meets an object."""
    found = nodes(whole)
    for path, value in nodes(change).items():
        if value is OBJECT and found.get(path) is OBJECT:
            continue
        found = {known: v for known, v in found.items() if known[: len(path)] != path}
        if value is not None:
            found[path] = value
    return found


NAMES = st.sampled_from("abcd")
LEAVES = st.one_of(
    st.integers(0, 9), st.text("xyz", max_size=2), st.booleans(), st.lists(st.integers(0, 3))
)
TREES = st.recursive(
    st.dictionaries(NAMES, LEAVES, max_size=3),
    lambda inside: st.dictionaries(NAMES, st.one_of(LEAVES, inside), max_size=3),
    max_leaves=8,
)
CHANGES = st.recursive(
    st.dictionaries(NAMES, st.one_of(LEAVES, st.none()), max_size=3),
    lambda inside: st.dictionaries(NAMES, st.one_of(LEAVES, st.none(), inside), max_size=3),
    max_leaves=8,
)


@given(TREES, CHANGES)
def test_merge_is_the_oracles(whole: dict[str, Any], change: dict[str, Any]) -> None:
    before = copy.deepcopy((whole, change))
    assert nodes(shapes.merged(whole, change)) == oracle(whole, change)
    assert (whole, change) == before


@st.composite
def real_changes(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Choose a vendor, and for some of its fields another value, none, or an empty secret."""
    vendor = draw(st.sampled_from(ALL))
    change: dict[str, Any] = {}
    for path, value in leaves(WHOLE[vendor]).items():
        if draw(st.booleans()) or "service_account_key" in path:
            continue
        inside = change
        for name in path[:-1]:
            inside = inside.setdefault(name, {})
        inside[path[-1]] = draw(st.sampled_from([value, None, "other", "", 7, True]))
    return vendor, change


@given(real_changes())
def test_a_change_is_right_if_the_merged_whole_is(case: tuple[str, dict[str, Any]]) -> None:
    """Through the doors and the seal: what comes out is what the oracle says, or it is refused."""
    vendor, change = case
    kind: type[Options] = VENDORS[vendor].options
    model = registry.checked(VENDORS[vendor], WHOLE[vendor])
    shown, hidden = shapes.split(model)
    # An empty secret changes nothing.
    said = {
        path: value
        for path, value in leaves(change).items()
        if not (value == "" and str(leaves(shapes.plain(model)).get(path)).startswith("canary-"))
    }
    expected: dict[tuple[str, ...], Any] = leaves(shapes.plain(model))
    for path, value in said.items():
        expected.pop(path, None)
        if value is not None:
            expected[path] = value
    whole: dict[str, Any] = {}
    for path, value in expected.items():
        inside = whole
        for name in path[:-1]:
            inside = inside.setdefault(name, {})
        inside[path[-1]] = value
    # An object of which nothing is left is still there: it was not taken back as a whole.
    for path in walk(shapes.plain(model)):
        inside = whole
        for name in path:
            inside = inside.setdefault(name, {})
    try:
        wanted = kind.model_validate(whole)
    except ValueError:
        with pytest.raises(BadArgument):
            registry.changed(VENDORS[vendor], shapes.merged(shown, hidden), change)
        return
    assert registry.changed(VENDORS[vendor], shapes.merged(shown, hidden), change) == wanted
