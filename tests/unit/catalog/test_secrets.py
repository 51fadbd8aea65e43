from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.catalog.secrets import masked, scrubbed, secrets_of


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:pw@h/db#t", "postgresql://u:***@h/db#t"),
        ("postgresql://u:p%40w@h:5432/db", "postgresql://u:***@h:5432/db"),
        ("postgresql://u@h/db#s.t", "postgresql://u@h/db#s.t"),
        ("postgresql://h:5432/db", "postgresql://h:5432/db"),
        ("postgresql://h:5432/db?user=me@corp.com", "postgresql://h:5432/db?user=me@corp.com"),
        ("mysql://u:@h/db", "mysql://u:***@h/db"),
        ("mysql://u:p@ss@h/db", "mysql://u:***@h/db"),
        ("mysql://u:p@ss/w@h/db", "mysql://u:***@h/db"),
        ("mysql://u:p/w@h/db", "mysql://u:***@h/db"),
        ("mysql://u:p#w@h/db", "mysql://u:***@h/db"),
        ("mysql://u:p?w@h/db", "mysql://u:***@h/db"),
        ("mysql://u:1/2@h/db", "mysql://u:***@h/db"),
        ("mysql://u:it's@h/db", "mysql://u:***@h/db"),
        ("x://h/d?password=a&sslmode=on#t", "x://h/d?password=***&sslmode=on#t"),
        ("x://h/d?sslkey=a&sslpassword=b;token=c", "x://h/d?sslkey=***&sslpassword=***;token=***"),
        ("failed: x://u:pw@h/d, or y://a:b@c", "failed: x://u:***@h/d, or y://a:***@c"),
        ("host=h password='a b' user=u", "host=h password=*** user=u"),
        ("orders/*.csv", "orders/*.csv"),
        ("prod:public.orders", "prod:public.orders"),
    ],
)
def test_masked(url: str, shown: str) -> None:
    assert masked(url) == shown


@given(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=3))
def test_no_password_survives(password: str) -> None:
    # Letters that the rest of the URL has, too, tell nothing.
    if password not in "postgresql://user:***@host/database#table":
        assert password not in masked(f"postgresql://user:{password}@host/database#table")


def test_known_secrets_are_scrubbed_from_any_text() -> None:
    secrets = secrets_of("mysql://u:a%2Fb%2Fc@h/d?token=xyz#t")
    assert secrets == {"a%2Fb%2Fc", "a/b/c", "xyz"}
    assert scrubbed("login a/b/c, a%2Fb%2Fc, xyz", secrets) == "login ***, ***, ***"
