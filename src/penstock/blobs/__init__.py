"""Internal storage, one module per backend; all pass `tests/contracts/test_blobs.py`.

In: a tenant, a path or `kestra:///` URI, and bytes. Out: URIs and bytes. The room knows nothing of executions, rows of
the database or who may read what; the composition root picks one backend. Object stores are imported when built.
"""

from penstock.blobs.local import LocalBlobs
from penstock.blobs.memory import MemoryBlobs

__all__ = ["LocalBlobs", "MemoryBlobs"]
