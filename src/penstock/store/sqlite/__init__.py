"""The store on SQLite: one file, one writer, any number of readers.

Records come in through the ports' methods and go out of them; nothing in here knows what they mean. It does not know
the settings either: durability and waiting times are handed in.
"""

from penstock.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
