"""Secrets at rest open for their row, their field and their key, and for nothing else (T31)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import StoreFailed
from weighbridge.store.sealed import KeyRing, add_key, make_ring, open_ring

RING = KeyRing({1: bytes(range(32)), 7: bytes(range(1, 33))})
PLACE = "connections/12/secret"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(plain=TEXTS, place=TEXTS)
def test_round_trip(plain: str, place: str) -> None:
    assert RING.unseal(RING.seal(plain, place), place) == plain


@given(plain=st.text(st.characters(categories=["L", "N"]), min_size=4))
def test_shows_nothing_and_never_repeats(plain: str) -> None:
    one, two = RING.seal(plain, PLACE), RING.seal(plain, PLACE)
    assert plain.encode() not in one
    assert one[5:17] != two[5:17]
    assert one[17:] != two[17:]


@pytest.mark.parametrize(
    "other", ["connections/13/secret", "connections/12/name", "connections/12/secret ", ""]
)
def test_moved_to_another_place(other: str) -> None:
    with pytest.raises(StoreFailed, match="does not open"):
        RING.unseal(RING.seal("s3cret", PLACE), other)


def test_every_changed_bit() -> None:
    sealed = RING.seal("s3cret", PLACE)
    for at in range(len(sealed)):
        for bit in range(8):
            changed = bytearray(sealed)
            changed[at] ^= 1 << bit
            with pytest.raises(StoreFailed) as caught:
                RING.unseal(bytes(changed), PLACE)
            assert "s3cret" not in str(caught.value)


def test_every_shortened_one() -> None:
    sealed = RING.seal("s3cret", PLACE)
    for length in range(len(sealed)):
        with pytest.raises(StoreFailed):
            RING.unseal(sealed[:length], PLACE)


def test_rotation(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    old = make_ring(path).seal("s3cret", PLACE)
    new = add_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert new.unseal(old, PLACE) == "s3cret"
    assert new.sealed_with_old_key(old)
    again = new.seal("s3cret", PLACE)
    assert not new.sealed_with_old_key(again)
    assert open_ring(path).unseal(again, PLACE) == "s3cret"
    assert [p.name for p in tmp_path.iterdir()] == ["keys.json"]


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    sealed = RING.seal("s3cret", PLACE)
    with pytest.raises(StoreFailed, match="key 7"):
        KeyRing({1: RING.keys[1]}).unseal(sealed, PLACE)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o666, 0o601, 0o610])
def test_a_ring_that_others_may_touch(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys.json"
    make_ring(path)
    path.chmod(mode)
    for door in (open_ring, make_ring, add_key):
        with pytest.raises(StoreFailed, match="by others"):
            door(path)


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "null", '{"1": "AAAA"}', '{"1": 5}', '{"x": ""}', "{"]
)
def test_no_ring(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(StoreFailed, match="key ring"):
        open_ring(path)


def test_an_existing_ring_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    assert make_ring(path).keys == make_ring(path).keys
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_missing_ring(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="backup"):
        open_ring(tmp_path / "keys.json")


def test_nothing_prints_a_key() -> None:
    assert "keys" not in repr(RING)
