"""What is kept for how long, and its removal: on by default, 30 days, in bounded batches.

For each execution, and for each of the four things that may be kept (`Kept`), the first policy of the list that names
the thing and claims the execution decides. Whatever no policy claims stays for ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import islice

from penstock.catalog.purging import Purger, add_up
from penstock.clock import Clock
from penstock.errors import BadRequest
from penstock.model.duration import parse_duration
from penstock.model.execution import label_map
from penstock.model.state import State
from penstock.plugin.platform import Purged
from penstock.ports.blob_paths import execution_folders
from penstock.ports.blobs import Blobs
from penstock.ports.purges import Purges
from penstock.ports.reads import Condition, Filter, Reads, StoredExecution

DEFAULT_KEEP = timedelta(days=30)
ORPHAN_GRACE = timedelta(days=1)
"""Files of an execution that does not exist (yet) are left alone this long: inputs are stored before it is created."""


class Kept(StrEnum):
    """What a policy speaks of. An execution that goes takes its log lines, metrics and files along."""

    EXECUTIONS = "EXECUTIONS"
    LOGS = "LOGS"
    METRICS = "METRICS"
    FILES = "FILES"


@dataclass(frozen=True, slots=True)
class Policy:
    """How long something is kept after the end of its execution; `keep` None is for ever.

    namespace: that one and those below it. labels: all of these. states: one of these. What is not set does not narrow.
    """

    keep: timedelta | None = DEFAULT_KEEP
    kinds: frozenset[Kept] = frozenset(Kept)
    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    states: frozenset[State] = frozenset()

    def claims(self, stored: StoredExecution) -> bool:
        """Whether the policy speaks of an execution."""
        execution = stored.execution
        if not self.covers(execution.namespace) or (self.states and execution.state not in self.states):
            return False
        labels = label_map(stored.context.labels) if self.labels else {}
        return all(labels.get(key) == value for key, value in self.labels.items())

    def covers(self, namespace: str) -> bool:
        """Whether the policy speaks of a namespace."""
        return self.namespace is None or namespace == self.namespace or namespace.startswith(self.namespace + ".")

    def filters(self) -> list[Condition]:
        """The policy as filters of a search for executions."""
        found: list[Condition] = []
        if self.namespace is not None:
            found.append(Filter("namespace", "PREFIX", self.namespace))
        if self.states:
            found.append(Filter("state", "IN", [str(state) for state in sorted(self.states)]))
        found += [Filter("labels", "EQUALS", value, key=key) for key, value in sorted(self.labels.items())]
        return found


@dataclass(frozen=True, slots=True)
class Due:
    """How many executions one policy would touch now, for one thing."""

    policy: Policy
    kind: Kept
    executions: int


class Retention:
    """Applies policies to one store."""

    def __init__(
        self,
        policies: Sequence[Policy],
        *,
        purger: Purger,
        purges: Purges,
        reads: Reads,
        blobs: Blobs,
        clock: Clock,
        batch: int = 100,
    ) -> None:
        """`batch` executions are removed at a time; between batches others have their turn at the store."""
        self._policies = list(policies)
        self._purger = purger
        self._purges = purges
        self._reads = reads
        self._blobs = blobs
        self._clock = clock
        self._batch = batch
        self._done: dict[tuple[str, int, Kept], datetime] = {}

    def run(self, tenant: str, *, stop: Callable[[], bool] = lambda: False) -> Purged:
        """Removes everything that is due, and rows that deleted executions left behind; ends early when `stop` says so.

        What a stopped run left is found by the next one.
        """
        now = self._clock.now()
        total = Purged()
        for kind in (Kept.LOGS, Kept.METRICS, Kept.FILES, Kept.EXECUTIONS):
            for policy in self._naming(kind):
                total = add_up(total, self._apply(tenant, policy, kind, now=now, stop=stop))
        total = add_up(total, Purged(logs=self._trigger_logs(tenant, now)))
        while not stop() and self._purges.sweep(1):
            continue
        return total

    def dry_run(self, tenant: str, *, at: datetime | None = None) -> list[Due]:
        """What `run` would remove at a moment (now, by default). Removes nothing."""
        moment = at or self._clock.now()
        return [
            Due(policy, kind, sum(1 for _ in self._due(tenant, policy, kind, moment)))
            for kind in Kept
            for policy in self._naming(kind)
            if kind is Kept.EXECUTIONS or Kept.EXECUTIONS not in policy.kinds
        ]

    def forecast(self, tenant: str, *, days: int = 30) -> dict[date, int]:
        """How many executions will go on each of the coming days, as far as they have ended by now.

        The first day holds also those that are due already.
        """
        now = self._clock.now()
        horizon = now + timedelta(days=days)
        found: Counter[date] = Counter()
        for policy in self._naming(Kept.EXECUTIONS):
            for execution_id in self._due(tenant, policy, Kept.EXECUTIONS, horizon):
                stored = self._reads.execution(tenant, execution_id)
                if stored is not None and policy.keep is not None:
                    leaves = stored.execution.histories[-1].date + policy.keep
                    found[max(leaves, now).date()] += 1
        return dict(sorted(found.items()))

    def sweep_orphans(self, tenant: str, *, older_than: timedelta = ORPHAN_GRACE) -> int:
        """Removes files of executions that no longer exist, or never did; returns how many files.

        A crash between writing a file and committing its row leaves such files, never a row without its file.
        """
        before = self._clock.now() - older_than
        removed = 0
        known: dict[str, bool] = {}
        for blob in self._blobs.list(tenant, "/"):
            folders = execution_folders(blob.path)
            if not folders or blob.modified > before:
                continue
            if len(known) > 10_000:
                known.clear()
            for folder in folders:
                if folder.execution_id not in known:
                    known[folder.execution_id] = self._reads.execution(tenant, folder.execution_id) is not None
            if not any(known[folder.execution_id] for folder in folders):
                removed += self._blobs.delete(tenant, blob.path)
        return removed

    def _naming(self, kind: Kept) -> list[Policy]:
        return [policy for policy in self._policies if kind in policy.kinds]

    def _apply(self, tenant: str, policy: Policy, kind: Kept, *, now: datetime, stop: Callable[[], bool]) -> Purged:
        if kind is not Kept.EXECUTIONS and Kept.EXECUTIONS in policy.kinds:
            return Purged()  # goes with the execution
        total = Purged()
        key = (tenant, self._policies.index(policy), kind)
        due = self._due(tenant, policy, kind, now, since=self._done.get(key))
        while group := list(islice(due, self._batch)):
            if stop():
                return total
            total = add_up(total, self._remove(tenant, group, kind))
        if kind is not Kept.EXECUTIONS and policy.keep is not None:
            self._done[key] = now - policy.keep
        return total

    def _remove(self, tenant: str, ids: list[str], kind: Kept) -> Purged:
        every = kind is Kept.EXECUTIONS
        return self._purger.executions(
            tenant,
            ids,
            executions=every,
            logs=every or kind is Kept.LOGS,
            metrics=every or kind is Kept.METRICS,
            files=every or kind is Kept.FILES,
            batch=self._batch,
        )

    def _due(
        self, tenant: str, policy: Policy, kind: Kept, at: datetime, *, since: datetime | None = None
    ) -> Iterator[str]:
        """Ids of the executions that `policy` decides about and whose time is over, oldest first.

        `since`: what ended before was dealt with by an earlier run.
        """
        if policy.keep is None:
            return
        naming = self._naming(kind)
        earlier = naming[: naming.index(policy)]
        filters = policy.filters()
        if since is not None:
            filters.append(Filter("endDate", "GREATER_THAN_OR_EQUAL_TO", since))
        for execution_id in self._reads.retained(tenant, at - policy.keep, filters):
            if not earlier or not self._claimed(tenant, execution_id, earlier):
                yield execution_id

    def _claimed(self, tenant: str, execution_id: str, policies: Sequence[Policy]) -> bool:
        stored = self._reads.execution(tenant, execution_id)
        return stored is None or any(policy.claims(stored) for policy in policies)

    def _trigger_logs(self, tenant: str, now: datetime) -> int:
        """Log lines without an execution: by namespace alone, since they have no state and no labels."""
        policies = [p for p in self._naming(Kept.LOGS) if not p.labels and not p.states]
        removed = 0
        for index, policy in enumerate(policies):
            if policy.keep is None:
                continue
            filters: list[Condition] = [
                Filter("executionId", "IS_NULL", None),
                Filter("timestamp", "LESS_THAN", now - policy.keep),
            ]
            if policy.namespace is not None:
                filters.append(Filter("namespace", "PREFIX", policy.namespace))
            for other in policies[:index]:
                filters += _outside(other.namespace)
            if not any(other.namespace is None for other in policies[:index]):
                removed += self._purger.logs(tenant, filters)
        return removed


def _outside(namespace: str | None) -> list[Condition]:
    """Neither that namespace nor one below it; leaves alone, too, what has its name in the middle of its own."""
    if namespace is None:
        return []
    return [
        Filter("namespace", "NOT_EQUALS", namespace),
        Filter("namespace", "NOT_CONTAINS", namespace + "."),
    ]


def parse_policies(
    entries: Sequence[Mapping[str, object]], *, default: timedelta | None = DEFAULT_KEEP
) -> list[Policy]:
    """Policies as they are written in the settings, then one for everything that keeps it for `default`.

    An entry has `keep` (an ISO duration, or `forever`) and optionally `namespace`, `labels`, `states`, `kinds`.

    Raises:
        BadRequest: an entry has another key, or a value that cannot be read; the entry is named by its place.
    """
    return [*(_policy(entry, place) for place, entry in enumerate(entries)), Policy(keep=default)]


def _policy(entry: Mapping[str, object], place: int) -> Policy:
    unknown = sorted(set(entry) - {"keep", "namespace", "labels", "states", "kinds"})
    if unknown:
        raise BadRequest(f"retention[{place}]: unknown key `{unknown[0]}`")
    labels, namespace = entry.get("labels", {}), entry.get("namespace")
    try:
        if not isinstance(labels, Mapping):
            raise ValueError(f"expected a map of labels, found {labels!r}")
        return Policy(
            keep=_keep(entry.get("keep")),
            kinds=frozenset(Kept(name.upper()) for name in _names(entry.get("kinds"))) or frozenset(Kept),
            namespace=str(namespace) if namespace is not None else None,
            labels={str(key): str(value) for key, value in labels.items()},
            states=frozenset(State.read(name) for name in _names(entry.get("states"))),
        )
    except ValueError as fault:
        raise BadRequest(f"retention[{place}]: {fault}") from fault


def _keep(text: object) -> timedelta | None:
    if not isinstance(text, str):
        raise ValueError(f"keep: expected an ISO duration or `forever`, found {text!r}")
    return None if text == "forever" else parse_duration(text)


def _names(value: object) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(one) for one in value]  # pyright: ignore[reportGeneralTypeIssues]
