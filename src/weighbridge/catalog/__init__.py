"""What users configured: named connections and defaults, from `weighbridge.toml`.

The library and the command turn `NAME:table` into a side's URL here, just before it is
opened. The URL holds the secret then; `masked` is for whoever must show one.
"""
