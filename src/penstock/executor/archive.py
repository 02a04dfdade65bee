"""What is stored of executions, as steps and templates may look at it: the journal, with what memory knows better on top."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO

import msgspec

from penstock.executor.outputs import OutputKeeper
from penstock.executor.residents import Residents
from penstock.model.execution import TaskRun
from penstock.ports.blobs import Blobs
from penstock.ports.journal import Journal


class StoredArchive:
    """`engine.moment.Archive` over the journal and internal storage. Lookups of outputs are safe from any thread."""

    def __init__(
        self,
        journal: Journal,
        blobs: Blobs,
        keeper: OutputKeeper,
        residents: Residents,
        open_file: Callable[[str, str, str], BinaryIO] | None = None,
    ) -> None:
        self._journal = journal
        self._blobs = blobs
        self._keeper = keeper
        self._residents = residents
        self._open_file = open_file

    def output(self, execution_id: str, owner: str, task_id: str, path: tuple[str, ...]) -> Mapping[str, object] | None:
        row = self._journal.output(execution_id, owner, task_id, path)
        return None if row is None else self._keeper.read(self._tenant(execution_id), row)

    def output_keys(self, execution_id: str, owner: str, task_id: str, prefix: tuple[str, ...]) -> Sequence[str]:
        return self._journal.output_keys(execution_id, owner, task_id, prefix)

    def output_tasks(self, execution_id: str, owner: str) -> Sequence[str]:
        return self._journal.output_tasks(execution_id, owner)

    def runs(self, execution_id: str) -> list[TaskRun]:
        return self._journal.runs(execution_id)

    def run(self, execution_id: str, run_id: str) -> TaskRun | None:
        found = self._journal.runs(execution_id, [run_id])
        return found[0] if found else None

    def iteration_outputs(self, execution_id: str, loop_run_id: str) -> list[tuple[int, Mapping[str, object]]]:
        run = self._residents.get(execution_id).runs[loop_run_id]
        label = f"{run.task_id}#{loop_run_id}"
        keys = self._journal.output_keys(execution_id, run.owner, label, ())
        found: list[tuple[int, Mapping[str, object]]] = []
        for key in keys:
            value = self.output(execution_id, run.owner, label, (key,))
            if value is not None:
                found.append((int(key), value))
        return found

    def loop_values(self, execution_id: str, run_id: str) -> tuple[list[str], list[str] | None]:
        found = self._journal.loop_values(execution_id, run_id, 0, 1 << 31)
        return found.values, found.keys

    def descendants(self, execution_id: str, run_id: str) -> list[str]:
        known = {run.id: run for run in self._journal.runs(execution_id)}
        state = self._residents.peek(execution_id)
        if state is not None:
            known.update(state.runs)
        below = {run_id}
        ordered = sorted(known.values(), key=lambda run: run.sequence)
        for run in ordered:
            if run.parent_id in below:
                below.add(run.id)
        return [run.id for run in reversed(ordered) if run.id in below and run.id != run_id]

    def read_lines(self, execution_id: str, uri: str) -> list[str]:
        text = self._blobs.get(self._tenant(execution_id), uri).decode()
        return [line for line in text.splitlines() if line]

    def read_records(self, execution_id: str, uri: str) -> list[str]:
        from penstock.plugin.rows import read_rows

        with self._open(execution_id, uri) as source:
            return [_as_text(row) for row in read_rows(source, name=uri.rpartition("/")[2] or "rows.ion")]

    def _open(self, execution_id: str, uri: str) -> BinaryIO:
        state = self._residents.peek(execution_id)
        if self._open_file is not None and state is not None:
            return self._open_file(state.execution.tenant_id, state.execution.namespace, uri)
        return self._blobs.open(self._tenant(execution_id), uri)

    def _tenant(self, execution_id: str) -> str:
        state = self._residents.peek(execution_id)
        return state.execution.tenant_id if state is not None else "main"


def _as_text(row: object) -> str:
    return row if isinstance(row, str) else msgspec.json.encode(row, enc_hook=str).decode()
