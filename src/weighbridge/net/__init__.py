"""Which hosts may be reached. A name is resolved once, here, and the driver gets the address.

A connector calls `hosts.resolve` and connects to `Address.ip`; it never hands a user's host
name to a driver as the thing to connect to (libpq: `hostaddr=` beside `host=`, which is then
only the name on the certificate).
"""
