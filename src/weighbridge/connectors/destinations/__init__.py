"""Where data can be delivered: what each vendor must be told, and how far we are with it.

A vendor's `Options` class is at once the check of what a user wrote, the form that a browser shows,
and the documentation. `registry.VENDORS` lists them all; what a vendor cannot do yet it says there.
"""
