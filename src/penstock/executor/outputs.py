"""Outputs on their way to the store: small ones inline, large ones as files (design: outputs are values with a handle)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from penstock.engine.state import ExecutionState, place_of
from penstock.model.execution import TaskRun
from penstock.ports.blob_paths import execution_prefix, task_file
from penstock.ports.blobs import Blobs
from penstock.ports.journal import OutputRow

_encoder = msgspec.json.Encoder(enc_hook=str)


def encode(value: object) -> bytes:
    """`value` as JSON."""
    return _encoder.encode(value)


class OutputKeeper:
    """Makes rows of outputs; writes those above `inline` bytes to internal storage first.

    A file is written before the row that names it is committed: a crash between the two leaves an orphan file for the
    sweep, never a row without its file. limit: an administrator's bound in bytes for one task run, or None.
    """

    def __init__(self, blobs: Blobs, *, inline: int = 16_384, limit: int | None = None) -> None:
        self._blobs = blobs
        self._inline = inline
        self.limit = limit

    def row(self, state: ExecutionState, run: TaskRun, value: Mapping[str, object]) -> OutputRow:
        """The row of a task run's outputs."""
        execution = state.execution
        owner, task_id, path = place_of(run)
        row = OutputRow(
            execution_id=execution.id,
            task_run_id=run.id,
            task_id=task_id,
            owner=owner,
            path=path,
            iteration=run.iteration,
        )
        return self._store(execution.tenant_id, value, row, lambda: _task_place(state, run))

    def flow_row(self, state: ExecutionState, value: Mapping[str, object]) -> OutputRow:
        """The row of an execution's outputs."""
        execution = state.execution
        row = OutputRow(execution_id=execution.id, task_run_id="", task_id="")
        folder = execution_prefix(execution.namespace, execution.flow_id, execution.id)
        return self._store(execution.tenant_id, value, row, lambda: f"{folder}/outputs.json")

    def too_large(self, value: Mapping[str, object] | None) -> str | None:
        """Why outputs break the administrator's limit, or None when they keep it (or there is none)."""
        if self.limit is None or not value:
            return None
        size = len(encode(value))
        if size <= self.limit:
            return None
        return (
            f"The outputs of this task are {size} bytes, the administrator's limit is {self.limit} (setting `outputs_limit`): "
            "write large results to internal storage and output their URI"
        )

    def _store(
        self, tenant_id: str, value: Mapping[str, object], row: OutputRow, place: Callable[[], str]
    ) -> OutputRow:
        body = encode(value)
        row.size = len(body)
        if len(body) <= self._inline:
            row.value = value
        else:
            row.uri = self._blobs.put(tenant_id, place(), body)
        return row

    def read(self, tenant_id: str, row: OutputRow) -> Mapping[str, object]:
        """The value of a row, wherever it is."""
        if row.uri is None:
            return row.value or {}
        return msgspec.json.decode(self._blobs.get(tenant_id, row.uri), type=dict[str, object])


def _task_place(state: ExecutionState, run: TaskRun) -> str:
    execution = state.execution
    folder = execution_prefix(execution.namespace, execution.flow_id, execution.id)
    return task_file(folder, task_id=run.task_id, task_run_id=run.id, file="outputs.json")
