"""The worker's part of ForEachItem: its file cut into batches, its subflows' outputs put together (engine.md 3.8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from penstock.errors import TaskFailed
from penstock.model.flowables import ForEachItem
from penstock.model.job import Job
from penstock.model.state import State
from penstock.plugin.rows import split_rule, write_ion
from penstock.plugin.rows.split_files import split_in_storage
from penstock.worker.context import AttemptContext
from penstock.worker.outcome import Outcome


def split_items(job: Job, context: AttemptContext) -> Outcome:
    """One file for each batch, and a file that lists their URIs: outputs `splits`."""
    task = job.task
    assert isinstance(task, ForEachItem)
    uri = str(context.render(task.items)).strip()
    if not uri.startswith("kestra://"):
        raise TaskFailed(f"Unable to split the items from {uri}, this is not an internal storage URI!")
    batch = task.batch
    rows, partitions = context.render(batch.rows, int), context.render(batch.partitions, int)
    size, pattern = context.render(batch.bytes), context.render(batch.regex_pattern)
    if rows is None and partitions is None and size is None and pattern is None:
        rows = 1
    rule = split_rule(rows=rows, partitions=partitions, size=size, pattern=pattern)
    uris = split_in_storage(context, uri, rule, separator=batch.separator)
    listing = context.storage.put("splits.txt", "".join(f"{u}\n" for u in uris).encode())
    return Outcome(State.SUCCESS, outputs={"splits": listing})


def merge_items(job: Job, context: AttemptContext) -> Outcome:
    """The flow outputs of all subflows, in order of iteration, as one Ion file: outputs `subflowOutputs`, or none."""
    wanted = (job.templates or {}).get("executions")
    ids = [str(i) for i in wanted] if isinstance(wanted, Iterable) else []
    rows = _Rows(_outputs(context, ids))
    uri = context.storage.store_stream("outputs.ion", write_ion(rows))
    if not rows.count:
        context.storage.delete(uri)
        return Outcome(State.SUCCESS, outputs={})
    return Outcome(State.SUCCESS, outputs={"subflowOutputs": uri})


def _outputs(context: AttemptContext, ids: Iterable[str]) -> Iterator[dict[str, object]]:
    for execution_id in ids:
        found = context.platform.executions.get(execution_id)
        if found is not None and found.outputs:
            yield dict(found.outputs)


class _Rows:
    """Rows that are counted while they are written."""

    def __init__(self, rows: Iterator[dict[str, object]]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[dict[str, object]]:
        for row in self._rows:
            self.count += 1
            yield row
