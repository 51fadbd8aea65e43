"""Install the clients once, before many test processes ask for them: `python -m tests.clients`."""

import sys

from tests.clients.making import CLIENTS, make

make(tuple(sys.argv[1:]) or CLIENTS)
