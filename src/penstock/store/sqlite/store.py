"""The store as a whole: every port on one database file."""

from __future__ import annotations

from pathlib import Path

from penstock.store.sqlite.entries import EntryWriter
from penstock.store.sqlite.flows import SqliteFlows
from penstock.store.sqlite.journal import SqliteJournal
from penstock.store.sqlite.key_values import SqliteKeyValues
from penstock.store.sqlite.namespace_files import SqliteNamespaceFiles
from penstock.store.sqlite.numbers import Numbers
from penstock.store.sqlite.opening import Durability, check_file, open_reader, open_writer
from penstock.store.sqlite.ownership import Ownership
from penstock.store.sqlite.readers import Readers
from penstock.store.sqlite.reads import SqliteReads
from penstock.store.sqlite.secrets import SqliteSecrets
from penstock.store.sqlite.sweeping import SqlitePurges
from penstock.store.sqlite.trigger_states import SqliteTriggerStates
from penstock.store.sqlite.writer import Counters, Writer


class SqliteStore:
    """Every port of the store, on the database file at `path`, which is made if it does not exist.

    Args:
        durability: "process": a commit survives the death of the process; "power": also that of the machine.
        busy_timeout: seconds to wait for another process that writes.

    Raises:
        CorruptStore: the file is damaged, not Penstock's, or of a newer schema. It is left as it was.
        StoreUnavailable: it cannot be opened, or another process has it open.
    """

    def __init__(self, path: Path | str, *, durability: Durability = "process", busy_timeout: float = 30.0) -> None:
        self.path = Path(path)
        check_file(self.path, busy_timeout=busy_timeout)
        self._ownership = Ownership(self.path)
        try:
            connection = open_writer(self.path, durability=durability, busy_timeout=busy_timeout)
        except BaseException:
            self._ownership.release()
            raise
        self._writer = Writer(connection, self.path, busy_timeout=busy_timeout)
        self._readers = Readers(self.path, lambda: open_reader(self.path, busy_timeout=busy_timeout))
        numbers = Numbers()
        entries = EntryWriter(numbers)
        self.journal = SqliteJournal(self._writer, self._readers, numbers=numbers, entries=entries)
        self.flows = SqliteFlows(self._writer, self._readers)
        self.key_values = SqliteKeyValues(self._writer, self._readers)
        self.secrets = SqliteSecrets(self._writer, self._readers)
        self.namespace_files = SqliteNamespaceFiles(self._writer, self._readers)
        self.trigger_states = SqliteTriggerStates(self._writer, self._readers, numbers=numbers, entries=entries)
        self.reads = SqliteReads(self._readers)
        self.purges = SqlitePurges(self._writer)

    @property
    def counters(self) -> Counters:
        """What has been written through this store."""
        return self._writer.counters

    def close(self) -> None:
        """Closes every connection; commits that run are waited for. Closing twice is allowed."""
        self._readers.close()
        self._writer.close()
        self._ownership.release()
