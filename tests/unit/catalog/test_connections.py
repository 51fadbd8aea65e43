from __future__ import annotations

from pathlib import Path

import pytest

from weighbridge.catalog.connections import open_catalog, resolve
from weighbridge.errors import BadArgument

CONFIG = """
[connections.prod]
url = "postgresql://reader@db/shop"
password_env = "PW"

[connections.by-file]
url = "postgresql://reader:old@db/shop"
password_file = "secret.txt"

[connections.inside]
url = "mysql://reader:${PW}@${HOST}/shop"

[connections.fields]
vendor = "mysql"
host = "10.0.0.7"
port = 3307
user = "a@b"
database = "shop"
password = "x/y"
options = { charset = "utf8mb4" }

[connections.lake]
vendor = "duckdb"
path = "lake.duckdb"

[connections.whole]
url = "${WHOLE}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "weighbridge.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "secret.txt").write_text("p@ss w\n", encoding="utf-8")
    return tmp_path


ENVIRON = {"PW": "a/b@c", "HOST": "db:3306", "WHOLE": "mysql://h/d"}


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("prod:public.orders", "postgresql://reader:a%2Fb%40c@db/shop#public.orders"),
        ("prod:50%", "postgresql://reader:a%2Fb%40c@db/shop#50%25"),
        ("prod:", "postgresql://reader:a%2Fb%40c@db/shop"),
        ("prod", "postgresql://reader:a%2Fb%40c@db/shop"),
        ("PROD:t", "postgresql://reader:a%2Fb%40c@db/shop#t"),
        ("by-file:t", "postgresql://reader:p%40ss%20w@db/shop#t"),
        ("by_file:t", "postgresql://reader:p%40ss%20w@db/shop#t"),
        ("inside:t", "mysql://reader:a%2Fb%40c@db:3306/shop#t"),
        ("fields:t", "mysql://a%40b:x%2Fy@10.0.0.7:3307/shop?charset=utf8mb4#t"),
        ("lake:t", "duckdb:///lake.duckdb#t"),
        ("whole:t", "mysql://h/d#t"),
        ("orders.csv", "orders.csv"),
        ("orders", "orders"),
        ("data/*.parquet", "data/*.parquet"),
        ("C:\\data\\x.csv", "C:\\data\\x.csv"),
        ("C:/data/x.csv", "C:/data/x.csv"),
        ("postgresql://u@h/d#t", "postgresql://u@h/d#t"),
    ],
)
def test_resolve(folder: Path, text: str, url: str) -> None:
    assert resolve(text, environ=ENVIRON, folder=folder) == url


def test_file_is_found_above(folder: Path) -> None:
    deep = folder / "a/b"
    deep.mkdir(parents=True)
    assert resolve("lake:t", environ={}, folder=deep) == "duckdb:///lake.duckdb#t"


def test_environment_wins_over_the_file(folder: Path) -> None:
    environ = {"WEIGHBRIDGE_CONNECTION_BY_FILE": "mysql://other/d", **ENVIRON}
    assert resolve("by-file:t", environ=environ, folder=folder) == "mysql://other/d#t"
    url = folder / "url"
    url.write_text("mysql://from/file\n", encoding="utf-8")
    environ = {"WEIGHBRIDGE_CONNECTION_NEW_FILE": str(url)}
    assert resolve("new:t", environ=environ, folder=folder) == "mysql://from/file#t"


def test_a_file_with_a_colon_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("may:2024.csv").touch()
    assert resolve("may:2024.csv", environ={}, folder=tmp_path) == "may:2024.csv"


def test_unknown_name_has_near_names(folder: Path) -> None:
    with pytest.raises(BadArgument) as caught:
        resolve("prdo:t", environ={}, folder=folder)
    assert "no connection named 'prdo'" in caught.value.message
    assert caught.value.next_step == "Did you mean prod?"
    with pytest.raises(BadArgument, match="WEIGHBRIDGE_CONNECTION_PRDO"):
        resolve("prdo:t", environ={}, folder=Path("/"))


def test_plain_passwords_are_known(folder: Path) -> None:
    connections = open_catalog(environ=ENVIRON, folder=folder).connections
    assert {n for n, c in connections.items() if c.plain_password} == {"by-file", "fields"}
    assert "x/y" not in repr(connections)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[connections.prod\n", "line 1"),
        ("[conections.prod]\n", "Did you mean connections?"),
        (
            "[connections.prod]\nhots = 'h'\n",
            "weighbridge.toml:2: found the unknown key 'hots'. Did you mean host?",
        ),
        ("[connections.prod]\nurl = 5\n", "weighbridge.toml:2: url is int, expected str"),
        ("[connections.prod]\nurl = 'h/d'\n", "no scheme"),
        ("[connections.prod]\nhost = 'h'\n", "neither a url nor vendor"),
        ("[connections.prod]\nurl = 'x://h'\nhost = 'h'\n", "found url beside host"),
        ("[connections.prod]\nurl = 'x://h'\npassword = 'a'\npassword_env = 'B'\n", "Keep one"),
        ("[connections.x]\nurl = 'x://h'\n", "two or more letters"),
        ("connections = 3\n", "expected a section"),
        ("[connections]\nprod = 3\n", "expected a section"),
        (
            "[diff]\nstrategy = 'fast'\n",
            "weighbridge.toml:2: strategy = 'fast': 'fast' is not one of",
        ),
        ("[diff]\nlimit = 2024-01-01\n", "expected a text, a number"),
    ],
)
def test_mistake_says_file_line_and_next_step(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "weighbridge.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BadArgument) as caught:
        open_catalog(environ={}, folder=tmp_path)
    assert said in str(caught.value)
    assert str(tmp_path) in caught.value.message
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("name", "environ", "said"),
    [
        ("prod:t", {}, "PW, which is not set"),
        ("prod:t", {"PW": "a", "PW_FILE": "b"}, "both set"),
        ("whole:t", {"WHOLE": "x"}, "has no scheme"),
    ],
)
def test_secret_that_cannot_be_found(
    folder: Path, name: str, environ: dict[str, str], said: str
) -> None:
    with pytest.raises(BadArgument, match=said):
        resolve(name, environ=environ, folder=folder)


def test_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "weighbridge.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadArgument, match="not UTF-8"):
        open_catalog(environ={}, folder=tmp_path)
