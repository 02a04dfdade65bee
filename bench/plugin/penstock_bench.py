"""Task types of the benchmark alone: outputs of a given size, as a value and as a file of rows.

The folder lies on the `PYTHONPATH` of the measured server; its metadata names this module as a plugin family.
"""

from __future__ import annotations

from collections.abc import Iterator

from penstock.plugin import RunContext, RunnableTask
from penstock.plugin.rows import FetchType, deliver

TYPES = {
    "penstock.bench.Text": "penstock_bench:Text",
    "penstock.bench.Rows": "penstock_bench:Rows",
}
ALIASES: dict[str, str] = {}

_FILLER = "0123456789abcdef" * 62


class Text(RunnableTask):
    """Returns a text of `bytes` characters as `value`."""

    TYPE = "penstock.bench.Text"

    bytes: int = 1000

    def run(self, ctx: RunContext) -> dict[str, object]:
        return {"value": "x" * self.bytes}


class Rows(RunnableTask):
    """Rows of about 1 KB, `bytes` in all, delivered as query tasks do with `fetchType: STORE`."""

    TYPE = "penstock.bench.Rows"

    bytes: int = 1_000_000

    def run(self, ctx: RunContext) -> dict[str, object]:
        return deliver(self._rows(), FetchType.STORE, storage=ctx.storage).as_outputs()

    def _rows(self) -> Iterator[dict[str, object]]:
        for number in range(self.bytes // 1024):
            yield {"id": number, "text": _FILLER}
