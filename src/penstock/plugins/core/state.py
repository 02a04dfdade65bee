"""The state store of 1.x: a small map per flow (or namespace), kept in the key-value store."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from penstock.model.authored import Dynamic, Free
from penstock.plugin import RunContext, RunnableTask, TaskFailed

_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")


class StateTask(RunnableTask):
    """What the three tasks share: which state is meant."""

    name: str = "default"
    namespace: Dynamic[bool] = False
    taskrun_value: Dynamic[bool] = True

    def state_key(self, ctx: RunContext) -> str:
        """The key that holds the state: of the flow (unless `namespace`), its name, and the loop value."""
        parts = [] if ctx.render(self.namespace, bool) else [ctx.flow_id]
        parts += ["states", _key_part(ctx.render(self.name))]
        if ctx.value is not None and ctx.render(self.taskrun_value, bool):
            parts.append(_key_part(ctx.value))
        return "_".join(parts)

    def read(self, ctx: RunContext) -> dict[str, object] | None:
        """The state, or None."""
        entry = ctx.platform.kv.get(self.state_key(ctx), ctx.namespace)
        return dict(entry.value) if entry is not None and isinstance(entry.value, Mapping) else None


class Get(StateTask):
    """Reads a state; an empty one when there is none, unless `errorOnMissing`."""

    TYPE = "io.kestra.plugin.core.state.Get"
    ALIASES = ("io.kestra.core.tasks.states.Get",)

    error_on_missing: Dynamic[bool] = False

    def run(self, ctx: RunContext) -> dict[str, object]:
        data = self.read(ctx)
        if data is None and ctx.render(self.error_on_missing, bool):
            raise TaskFailed(f"State {ctx.render(self.name)} not found")
        return {"count": len(data or {}), "data": data or {}}


class Set(StateTask):
    """Merges `data` into a state."""

    TYPE = "io.kestra.plugin.core.state.Set"
    ALIASES = ("io.kestra.core.tasks.states.Set",)

    data: Mapping[str, Free] | str | None = None

    def run(self, ctx: RunContext) -> dict[str, object]:
        data = {**(self.read(ctx) or {}), **(ctx.render(self.data, dict[str, object]) or {})}
        key = self.state_key(ctx)
        ctx.platform.kv.set(key, ctx.namespace, value=data)
        return {"count": len(data), "key": key}


class Delete(StateTask):
    """Removes a state."""

    TYPE = "io.kestra.plugin.core.state.Delete"
    ALIASES = ("io.kestra.core.tasks.states.Delete",)

    error_on_missing: Dynamic[bool] = False

    def run(self, ctx: RunContext) -> dict[str, object]:
        deleted = ctx.platform.kv.delete(self.state_key(ctx), ctx.namespace)
        if not deleted and ctx.render(self.error_on_missing, bool):
            raise TaskFailed(f"State {ctx.render(self.name)} not found")
        return {"deleted": deleted}


def _key_part(text: str) -> str:
    """`text` where a key can hold it, else a digest of it."""
    return text if _PLAIN.fullmatch(text) else hashlib.sha256(text.encode()).hexdigest()[:32]
