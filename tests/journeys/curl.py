#!/usr/bin/env python3
"""As much of curl as the docs use, for machines that have none: -sS, -H, -d (text or @file), a URL."""

import getopt
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen


def main() -> None:
    """Send one request and print what comes back."""
    said, (url,) = getopt.gnu_getopt(sys.argv[1:], "sSH:d:")
    headers = dict(value.split(": ", 1) for name, value in said if name == "-H")
    body = next((value for name, value in said if name == "-d"), None)
    data = None
    if body is not None:
        data = Path(body[1:]).read_bytes() if body.startswith("@") else body.encode()
    try:
        with urlopen(Request(url, data=data, headers=headers), timeout=60) as answer:  # noqa: S310 ours
            sys.stdout.buffer.write(answer.read())
    except HTTPError as error:
        sys.stdout.buffer.write(error.read())


main()
