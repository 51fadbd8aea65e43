"""Our own PostgreSQL: where it comes from, what is in it, how it changes, how secrets lie in it.

Called by the stories and by `catalog`; knows nothing of connections, diffs or HTTP. It never
holds a secret in the clear, and nobody but `migrations` changes a table's shape.
"""
