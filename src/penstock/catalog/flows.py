"""The flows people keep: created, changed, deleted and found by the rules of engine.md 6.8.

A `FlowShelf` holds no flow at start: a definition is parsed when somebody first needs it and kept in a bounded cache,
so that the hot paths (webhooks, the executor) find it in microseconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from penstock.catalog.sources import is_same_source, row_of, set_disabled
from penstock.clock import Clock, monotonic
from penstock.errors import Conflict, FlowInvalid, NotFound, Problem, Unprocessable
from penstock.ports.flows import FlowRow, Flows, SourceMatch
from penstock.ports.reads import Condition, Page, Sort

if TYPE_CHECKING:
    from penstock.definition import ParsedFlow
    from penstock.model.flow import Flow
    from penstock.model.task import Task

_ATTEMPTS = 5
"""How often a save is tried again when another process wrote the same revision first."""


class Parse(Protocol):
    """How a source becomes a flow: `definition.parse_flow` with the installation's types and plugin defaults."""

    def __call__(self, source: str, /) -> ParsedFlow:
        """The flow. Raises FlowInvalid."""
        ...


@dataclass(frozen=True, slots=True)
class Shelved:
    """One revision of a flow as kept: its row, and what its source parses to.

    parsed: None when the source does not parse (any longer); `error` then says why.
    """

    row: FlowRow
    parsed: ParsedFlow | None
    error: str | None = None

    @property
    def flow(self) -> Flow:
        """The flow.

        Raises:
            Conflict: the source does not parse.
        """
        if self.parsed is None:
            raise Conflict(f"Illegal state: Requested Flow is not valid: {self.error}")
        return self.parsed.flow

    def task(self, task_id: str) -> Task | None:
        """A task by its id, at any depth. Raises Conflict as `flow`."""
        from penstock.engine.plan import Plan

        node = Plan(self.flow, self.row.revision, self.row.tenant_id).node(task_id)
        return node.task if node is not None else None


OnSaved = Callable[[Shelved, Shelved | None], None]
OnDeleted = Callable[[FlowRow], None]

_Key = tuple[str, str, str]
_RevisionKey = tuple[str, str, str, int]


class FlowShelf:
    """Flows by tenant, namespace and id. Safe to use from several threads."""

    def __init__(
        self, flows: Flows, parse: Parse, *, clock: Clock, capacity: int = 2000, max_age: float | None = None
    ) -> None:
        """`capacity` bounds how many parsed revisions are kept.

        `max_age`, in seconds, is for several processes on one database: after it the latest revision is asked for
        again. Without it only `forget` and the shelf's own writes change what is current.
        """
        self._flows = flows
        self._parse = parse
        self._clock = clock
        self._capacity = capacity
        self._max_age = max_age
        self._revisions: dict[_RevisionKey, Shelved] = {}
        self._current: dict[_Key, tuple[Shelved, float]] = {}
        self._writing = threading.RLock()
        self._on_saved: list[OnSaved] = []
        self._on_deleted: list[OnDeleted] = []

    def on_saved(self, callback: OnSaved) -> None:
        """Calls back after each new revision, with the one before it (None for a new flow). Must not raise."""
        self._on_saved.append(callback)

    def on_deleted(self, callback: OnDeleted) -> None:
        """Calls back after each deletion, with the tombstone's row. Must not raise."""
        self._on_deleted.append(callback)

    def current(self, tenant: str, namespace: str, flow_id: str) -> Shelved | None:
        """The revision that runs when none is named: the latest that is not a draft; None when there is none.

        A dictionary look-up once it is known.
        """
        found = self._current.get((tenant, namespace, flow_id))
        if found is not None and (self._max_age is None or monotonic() - found[1] < self._max_age):
            return found[0]
        return self._load_current(tenant, namespace, flow_id)

    def at(self, tenant: str, namespace: str, flow_id: str, *, revision: int) -> Shelved | None:
        """One revision, also of a flow that is deleted by now: executions keep running on theirs."""
        found = self._revisions.get((tenant, namespace, flow_id, revision))
        if found is not None:
            return found
        row = self._flows.revision(tenant, namespace, flow_id, number=revision)
        return self.read(row) if row is not None else None

    def find(self, tenant: str, namespace: str, flow_id: str, *, revision: int | None = None) -> Shelved | None:
        """`at` a revision that is not a tombstone, or the `current` one."""
        if revision is None:
            return self.current(tenant, namespace, flow_id)
        found = self.at(tenant, namespace, flow_id, revision=revision)
        return None if found is None or found.row.deleted else found

    def latest(
        self, tenant: str, namespace: str, flow_id: str, *, allow_deleted: bool = False, revision: int | None = None
    ) -> Shelved:
        """The flow as people see it: its latest revision, drafts included, or one that is named.

        With `allow_deleted` also the tombstone, and revisions of a deleted flow.

        Raises:
            NotFound: there is none.
        """
        newest = self._flows.latest(tenant, namespace, flow_id, allow_deleted=allow_deleted)
        if newest is not None and revision is None:
            return self.read(newest)
        found = self.at(tenant, namespace, flow_id, revision=revision) if newest and revision is not None else None
        if found is None:
            raise NotFound("Not Found")
        return found

    def revisions(self, tenant: str, namespace: str, flow_id: str, *, allow_deleted: bool = False) -> list[FlowRow]:
        """All revisions, oldest first; tombstones only with `allow_deleted`.

        Raises:
            NotFound: there is none.
        """
        rows = self._flows.revisions(tenant, namespace, flow_id)
        kept = [row for row in rows if allow_deleted or not row.deleted]
        if not kept:
            raise NotFound("Not Found")
        return kept

    def read(self, row: FlowRow) -> Shelved:
        """A row with what it parses to, from the cache where it is there; a source that does not parse keeps why."""
        key = (row.tenant_id, row.namespace, row.id, row.revision)
        found = self._revisions.get(key)
        if found is None:
            found = self._parsed(row)
            _keep(self._revisions, key, found, self._capacity)
        return found

    def parse(self, source: str) -> ParsedFlow:
        """What a source that nobody has saved parses to. Raises FlowInvalid."""
        return self._parse(source)

    def create(self, tenant: str, source: str, *, draft: bool = False) -> Shelved:
        """A new flow from its source.

        Raises:
            FlowInvalid: the source is not valid (a draft need only have an id and a namespace).
            Conflict: the flow exists.
        """
        made = self._read_source(tenant, source, draft=draft)
        with self._writing:
            return self._save(made, self._latest_row(made), new=True)

    def update(self, tenant: str, namespace: str, flow_id: str, *, source: str, draft: bool = False) -> Shelved:
        """The next revision of a flow; the same revision when nothing has changed.

        Raises:
            NotFound: there is no such flow.
            FlowInvalid: the source is not valid.
            Unprocessable: the source has another id or namespace.
        """
        if self._flows.latest(tenant, namespace, flow_id) is None:
            raise NotFound("Not Found")
        made = self._read_source(tenant, source, draft=draft)
        _refuse_move(made, namespace, flow_id)
        return self._upsert(made)

    def put(self, tenant: str, source: str, *, draft: bool = False) -> Shelved:
        """Creates the flow or writes its next revision. Raises FlowInvalid."""
        return self._upsert(self._read_source(tenant, source, draft=draft))

    def restore(self, tenant: str, namespace: str, flow_id: str, *, revision: int) -> Shelved:
        """Writes the source of an earlier revision as the newest one, also of a flow that was deleted.

        Raises:
            NotFound: there is no such revision.
            FlowInvalid: that source is no longer valid.
        """
        row = self._flows.revision(tenant, namespace, flow_id, number=revision)
        if row is None:
            raise NotFound("Not Found")
        return self.put(tenant, row.source)

    def set_disabled(self, tenant: str, namespace: str, flow_id: str, *, disabled: bool) -> bool:
        """Disables or enables a flow by a new revision whose source says so; False when it was so already.

        Raises:
            NotFound: there is no such flow.
        """
        row = self._flows.latest(tenant, namespace, flow_id)
        if row is None:
            raise NotFound(f"Flow '{flow_id}' not found in namespace '{namespace}'")
        if row.disabled == disabled:
            return False
        source = set_disabled(row.source, disabled=disabled)
        self._upsert(self._read_source(tenant, source, draft=row.draft or row.error is not None))
        return True

    def delete(self, tenant: str, namespace: str, flow_id: str) -> FlowRow:
        """Writes a tombstone: the flow is gone, its revisions stay.

        Raises:
            NotFound: there is no such flow.
        """
        with self._writing:
            for _ in range(_ATTEMPTS):
                row = self._flows.latest(tenant, namespace, flow_id)
                if row is None:
                    raise NotFound("Not Found")
                tombstone = _next(row, row.revision + 1, deleted=True, updated=self._clock.now())
                if self._write(tombstone):
                    break
            else:
                raise Conflict(f"Conflict: Flow '{flow_id}' is being changed by somebody else, try again.")
            self.forget(tenant, namespace, flow_id)
        for callback in self._on_deleted:
            callback(tombstone)
        return tombstone

    def delete_revisions(self, tenant: str, namespace: str, flow_id: str, *, numbers: Sequence[int]) -> int:
        """Removes revisions for good; returns how many there were.

        Raises:
            NotFound: there is no such flow.
            Unprocessable: the latest revision is among them.
        """
        newest = self._flows.latest(tenant, namespace, flow_id, allow_deleted=True)
        if newest is None:
            raise NotFound("Not Found")
        if newest.revision in numbers:
            raise Unprocessable(f"Illegal argument: Cannot delete the latest revision ({newest.revision}) of a flow.")
        removed = self._flows.delete_revisions(tenant, namespace, flow_id, numbers=numbers)
        self.forget(tenant, namespace, flow_id)
        return removed

    def purge(self, tenant: str, namespace: str, flow_id: str) -> int:
        """Removes every revision of a flow for good; returns how many there were."""
        row = self._flows.latest(tenant, namespace, flow_id)
        removed = self._flows.delete_revisions(tenant, namespace, flow_id)
        self.forget(tenant, namespace, flow_id)
        if row is not None:
            for callback in self._on_deleted:
                callback(row)
        return removed

    def forget(self, tenant: str, namespace: str, flow_id: str) -> None:
        """Drops what is cached of a flow: another process has changed it."""
        self._current.pop((tenant, namespace, flow_id), None)
        for key in [k for k in list(self._revisions) if k[:3] == (tenant, namespace, flow_id)]:
            self._revisions.pop(key, None)

    def search(
        self,
        tenant: str,
        filters: Sequence[Condition] = (),
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[FlowRow]:
        """Latest revisions that satisfy all filters (`ports.flows`)."""
        return self._flows.search(tenant, filters, sort=sort, page=page, size=size)

    def search_source(
        self, tenant: str, text: str, *, namespace: str | None = None, page: int = 1, size: int | None = None
    ) -> Page[SourceMatch]:
        """Flows whose source holds `text`."""
        return self._flows.search_source(tenant, text, namespace=namespace, page=page, size=size)

    def in_namespace(self, tenant: str, namespace: str, *, children: bool = False) -> list[FlowRow]:
        """The flows of a namespace, with `children` also of those below it."""
        return self._flows.in_namespace(tenant, namespace, children=children)

    @property
    def rows(self) -> Flows:
        """The store behind the shelf: rows, nothing parsed."""
        return self._flows

    def _load_current(self, tenant: str, namespace: str, flow_id: str) -> Shelved | None:
        row = self._flows.latest(tenant, namespace, flow_id)
        if row is not None and row.draft:
            row = self._published(tenant, namespace, flow_id)
        key = (tenant, namespace, flow_id)
        if row is None:
            self._current.pop(key, None)
            return None
        found = self.read(row)
        _keep(self._current, key, (found, monotonic()), self._capacity)
        return found

    def _published(self, tenant: str, namespace: str, flow_id: str) -> FlowRow | None:
        """The latest revision that is not a draft, since the flow was last deleted."""
        for row in reversed(self._flows.revisions(tenant, namespace, flow_id)):
            if row.deleted:
                return None
            if not row.draft:
                return row
        return None

    def _parsed(self, row: FlowRow) -> Shelved:
        try:
            return Shelved(row, self._parse(row.source))
        except FlowInvalid as fault:
            return Shelved(row, None, str(fault))

    def _read_source(self, tenant: str, source: str, *, draft: bool) -> FlowRow:
        """The row of a source, its revision still 0."""
        return row_of(tenant, source, self._parse, draft=draft, now=self._clock.now())

    def _latest_row(self, made: FlowRow) -> FlowRow | None:
        return self._flows.latest(made.tenant_id, made.namespace, made.id, allow_deleted=True)

    def _upsert(self, made: FlowRow) -> Shelved:
        with self._writing:
            before = self._latest_row(made)
            if before is not None and not before.deleted and _unchanged(before, made):
                return self.read(before)
            return self._save(made, before)

    def _save(self, made: FlowRow, before: FlowRow | None, *, new: bool = False) -> Shelved:
        for _ in range(_ATTEMPTS):
            if new and before is not None and not before.deleted:
                raise Conflict(f"Conflict: Flow '{made.id}' already exists in namespace '{made.namespace}'.")
            row = _next(made, before.revision + 1 if before is not None else 1, deleted=False, updated=made.updated)
            if self._write(row):
                return self._announce(row, before)
            before = self._latest_row(made)
        raise Conflict(f"Conflict: Flow '{made.id}' is being changed by somebody else, try again.")

    def _write(self, row: FlowRow) -> bool:
        try:
            self._flows.save(row)
        except Conflict:
            return False
        return True

    def _announce(self, row: FlowRow, before: FlowRow | None) -> Shelved:
        saved = self.read(row)
        self._current.pop((row.tenant_id, row.namespace, row.id), None)
        previous = self.read(before) if before is not None and not before.deleted else None
        for callback in self._on_saved:
            callback(saved, previous)
        return saved


def _keep(cache: dict, key: object, value: object, capacity: int) -> None:
    """Adds to a cache, dropping what was added first when it is full."""
    while len(cache) >= capacity and cache:
        try:
            cache.pop(next(iter(cache)), None)
        except (StopIteration, RuntimeError):  # another thread made room meanwhile
            break
    cache[key] = value


def _next(row: FlowRow, revision: int, *, deleted: bool, updated: object) -> FlowRow:
    from msgspec.structs import replace

    document = {**row.document, "revision": revision, "deleted": deleted}
    return replace(row, revision=revision, deleted=deleted, document=document, updated=updated)


def _unchanged(before: FlowRow, made: FlowRow) -> bool:
    return (
        before.draft == made.draft and before.disabled == made.disabled and is_same_source(before.source, made.source)
    )


def _refuse_move(made: FlowRow, namespace: str, flow_id: str) -> None:
    problems: list[Problem] = []
    if made.id != flow_id:
        problems.append(Problem("Illegal flow id update", path="flow.id"))
    if made.namespace != namespace:
        problems.append(Problem("Illegal namespace update", path="flow.namespace"))
    if problems:
        raise Unprocessable("Invalid entity: " + ", ".join(str(p) for p in problems), problems=problems)
