"""What must never be shown: passwords and tokens inside URLs, found whether written well or badly."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote

MASK = "***"
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(\S*)")
# Names of URL parameters whose value is a secret: password, passwd, pwd, sslpassword, sslkey,
# token, api_key, client_secret and their like.
_SECRET_NAME = re.compile(r"pass|pwd|secret|token|key|credential|signature", re.IGNORECASE)
_PARAMETER = re.compile(r"([?&;])([^=&;#\s]*)=([^&;#\s]*)")
# libpq's other form, `password=x host=y`, turns up in drivers' messages.
_ASSIGNED = re.compile(
    r"(?i)\b((?:ssl)?password|passwd|pwd)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&;,'\"]+)"
)


def masked(text: str) -> str:
    """Replace every password in every URL of a text by `***`. Texts without one come back equal."""
    text = _URL.sub(lambda found: found[1] + _masked_rest(found[2]), text)
    return _ASSIGNED.sub(lambda found: f"{found[1]}={MASK}", text)


def secrets_of(url: str) -> frozenset[str]:
    """Give the secrets of a URL, each as written and as decoded."""
    rest = url.partition("://")[2]
    found = {password for password in [_password(rest)[1]] if password}
    query = rest.partition("#")[0].partition("?")[2]
    found |= {value for name, value in parse_qsl(query) if _SECRET_NAME.search(name) and value}
    return frozenset(found | {unquote(secret) for secret in found})


def scrubbed(text: str, secrets: frozenset[str]) -> str:
    """Mask URLs and replace each known secret, wherever it stands."""
    for secret in sorted(secrets, key=len, reverse=True):
        # A secret of one or two letters would blank every word and thereby tell itself.
        if len(secret) > 2:
            text = text.replace(secret, MASK)
    return masked(text)


def _masked_rest(rest: str) -> str:
    head, password, tail = _password(rest)
    tail = _PARAMETER.sub(_masked_parameter, tail)
    return f"{head}:{MASK}@{tail}" if password is not None else tail


def _masked_parameter(found: re.Match[str]) -> str:
    value = MASK if _SECRET_NAME.search(found[2]) else found[3]
    return f"{found[1]}{found[2]}={value}"


def _password(rest: str) -> tuple[str, str | None, str]:
    """Split what follows `://` into user, password and the rest.

    People forget to encode `/`, `#`, `?` and `@` in passwords. Where the proper reading leaves
    an `@` behind that could end such a password, the password is taken to reach up to it:
    hiding a little too much is the lesser harm.
    """
    end = _end_of_user(rest)
    user, colon, password = rest[:end].partition(":") if end >= 0 else ("", "", "")
    return (user, password, rest[end + 1 :]) if colon else ("", None, rest)


def _end_of_user(rest: str) -> int:
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    last = rest.rfind("@")
    if "@" in authority:
        proper = authority.rfind("@")
        return last if ":" in authority[:proper] else proper
    _, colon, port = authority.partition(":")
    if not colon or last < 0:
        return -1
    # `host:5432/db?user=me@corp` has no password; `user:1/2@host` has one.
    in_parameters = "=" in rest[rest.find("?") : last] and "?" in rest[:last]
    plain_port = port.isdigit() and len(port) <= 5 and "@" not in rest.partition("?")[0]
    return -1 if plain_port and in_parameters else last
