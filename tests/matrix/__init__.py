"""Every case of docs/reference/cases.md, on every engine that can hold its two values.

`numbers`, `times`, `texts`, `others` are the cases as data; one file per vendor says how to reach
it and which cases are its known gaps; `test_values` runs them. Rows and keys: `test_rows`.
Traps of hash functions: `test_hash_traps`.
"""
