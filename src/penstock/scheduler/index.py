"""Which Flow triggers look at which flows: the candidates of a transition are found without asking any other."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

from penstock.ports.trigger_states import FlowKey, Source, TriggerKey


class TriggerIndex:
    """Triggers by the (namespace, flow) they name; those that name none, or only a namespace, in a list per tenant.

    Reads take no lock: a bucket is a tuple that is replaced, never changed.
    """

    def __init__(self) -> None:
        self._exact: dict[FlowKey, tuple[TriggerKey, ...]] = {}
        self._loose: dict[str, tuple[tuple[str | None, str | None, TriggerKey], ...]] = {}
        self._sources: dict[TriggerKey, tuple[Source, ...]] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._sources)

    def put(self, key: TriggerKey, sources: Iterable[Source]) -> None:
        """List a trigger under its sources, in place of what it was listed under before."""
        with self._lock:
            self._drop(key)
            self._sources[key] = tuple(sources)
            for source in self._sources[key]:
                self._add(key, source)

    def remove(self, key: TriggerKey) -> None:
        """Forget a trigger; nothing happens when it is not listed."""
        with self._lock:
            self._drop(key)

    def candidates(self, flow: FlowKey) -> list[TriggerKey]:
        """Triggers that may react to an execution of `flow`, each once; never one of the flow's own."""
        found = dict.fromkeys(self._exact.get(flow, ()))
        for namespace, flow_id, key in self._loose.get(flow.tenant_id, ()):
            if namespace in (None, flow.namespace) and flow_id in (None, flow.flow_id):
                found[key] = None
        return [key for key in found if key.flow != flow]

    def wants(self, flow: FlowKey) -> bool:
        """Whether any trigger may react to an execution of `flow`: without one, no outbox row is needed."""
        return flow in self._exact or bool(self._loose.get(flow.tenant_id))

    def _add(self, key: TriggerKey, source: Source) -> None:
        if source.namespace is not None and source.flow_id is not None:
            flow = FlowKey(key.tenant_id, source.namespace, source.flow_id)
            self._exact[flow] = (*self._exact.get(flow, ()), key)
            return
        loose = self._loose.get(key.tenant_id, ())
        self._loose[key.tenant_id] = (*loose, (source.namespace, source.flow_id, key))

    def _drop(self, key: TriggerKey) -> None:
        for source in self._sources.pop(key, ()):
            if source.namespace is not None and source.flow_id is not None:
                self._drop_exact(FlowKey(key.tenant_id, source.namespace, source.flow_id), key)
            else:
                rest = tuple(entry for entry in self._loose.get(key.tenant_id, ()) if entry[2] != key)
                self._loose[key.tenant_id] = rest

    def _drop_exact(self, flow: FlowKey, key: TriggerKey) -> None:
        rest = tuple(other for other in self._exact.get(flow, ()) if other != key)
        if rest:
            self._exact[flow] = rest
        else:
            self._exact.pop(flow, None)
