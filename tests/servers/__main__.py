"""Fetch what the servers need, once, before many test processes ask for it: `python -m tests.servers`."""

import sys

from tests.servers.mariadb import find_software, get_software
from tests.servers.processes import ServerError

if find_software() is None:
    print("fetching MariaDB from Debian", flush=True)
    try:
        get_software()
    except ServerError as reason:
        sys.exit(str(reason))
