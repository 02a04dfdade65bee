"""Tasks of the key-value store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import Field

from penstock.model.authored import Authored, Dynamic, Free
from penstock.model.duration import IsoDuration, format_duration, parse_duration
from penstock.plugin import RunContext, RunnableTask, TaskFailed
from penstock.plugin.convert import convert, text_of

_OWN_NAMESPACE = "{{ flow.namespace }}"


class KvType(StrEnum):
    """What a value is."""

    STRING = "STRING"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    DATETIME = "DATETIME"
    DATE = "DATE"
    DURATION = "DURATION"
    JSON = "JSON"


class Set(RunnableTask):
    """Stores a value; what a template gives keeps its JSON type unless `kvType` says otherwise."""

    TYPE = "io.kestra.plugin.core.kv.Set"

    key: str
    value: Free
    namespace: str = _OWN_NAMESPACE
    kv_description: str | None = None
    overwrite: Dynamic[bool] = True
    ttl: Dynamic[IsoDuration] | None = None
    kv_type: Dynamic[KvType] | None = None

    def run(self, ctx: RunContext) -> None:
        key, namespace = ctx.render(self.key), ctx.render(self.namespace)
        value = ctx.render(self.value, object)
        kind = ctx.render(self.kv_type, KvType)
        overwrite = ctx.render(self.overwrite, bool)
        if not overwrite and ctx.platform.kv.get(key, namespace) is not None:
            raise _exists(key)
        ctx.platform.kv.set(
            key,
            namespace,
            value=typed(value, kind) if kind else value,
            description=ctx.render(self.kv_description),
            ttl=ctx.render(self.ttl, timedelta),
            overwrite=overwrite,
        )


class Get(RunnableTask):
    """Reads a value; null when the key is missing, unless `errorOnMissing`."""

    TYPE = "io.kestra.plugin.core.kv.Get"

    key: str
    namespace: str = _OWN_NAMESPACE
    error_on_missing: Dynamic[bool] = False

    def run(self, ctx: RunContext) -> dict[str, object]:
        key, namespace = ctx.render(self.key), ctx.render(self.namespace)
        kv = ctx.platform.kv
        # Kestra 1.x: the flow's own namespace is searched with its parents.
        entry = kv.find(key) if namespace == ctx.namespace else kv.get(key, namespace)
        if entry is None and ctx.render(self.error_on_missing, bool):
            raise _missing(key, namespace)
        return {"value": _shown(entry.value)} if entry is not None else {}


class GetKeys(RunnableTask):
    """Lists the keys that start with `prefix`."""

    TYPE = "io.kestra.plugin.core.kv.GetKeys"

    prefix: str | None = None
    namespace: str = _OWN_NAMESPACE

    def run(self, ctx: RunContext) -> dict[str, object]:
        keys = ctx.platform.kv.keys(ctx.render(self.namespace), prefix=ctx.render(self.prefix) or "")
        return {"keys": keys}


class Delete(RunnableTask):
    """Removes a key."""

    TYPE = "io.kestra.plugin.core.kv.Delete"

    key: str
    namespace: str = _OWN_NAMESPACE
    error_on_missing: Dynamic[bool] = False

    def run(self, ctx: RunContext) -> dict[str, object]:
        key, namespace = ctx.render(self.key), ctx.render(self.namespace)
        deleted = ctx.platform.kv.delete(key, namespace)
        if not deleted and ctx.render(self.error_on_missing, bool):
            raise _missing(key, namespace)
        return {"deleted": deleted}


class Put(RunnableTask):
    """Changes a part of a stored value: maps are merged deeply, `{key, value}` entries set nested places, and one
    `{value}` alone replaces the whole."""

    TYPE = "io.kestra.plugin.core.kv.Put"

    key: str
    value: Free
    namespace: str = _OWN_NAMESPACE
    error_on_missing: Dynamic[bool] = False

    def run(self, ctx: RunContext) -> None:
        key, namespace = ctx.render(self.key), ctx.render(self.namespace)
        entry = ctx.platform.kv.get(key, namespace)
        if entry is None and ctx.render(self.error_on_missing, bool):
            raise _missing(key, namespace)
        change = ctx.render(self.value, object)
        stored = patched(entry.value if entry else None, change)
        ctx.platform.kv.set(key, namespace, value=stored, description=entry.description if entry else None)


class KeyPurge(Authored):
    """Removes keys: those that expired, or all that match."""

    type: Literal["key"] = "key"
    expired_only: Dynamic[bool] = True


class VersionPurge(Authored):
    """Removes old versions: changed before a date, or all but the newest."""

    type: Literal["version"] = "version"
    before: str | None = None
    keep_amount: Dynamic[int] | None = None


class PurgeKV(RunnableTask):
    """Removes keys of namespaces."""

    TYPE = "io.kestra.plugin.core.kv.PurgeKV"

    key_pattern: str | None = None
    namespaces: Dynamic[list[str]] | None = None
    namespace_pattern: str | None = None
    behavior: KeyPurge | VersionPurge = Field(default_factory=KeyPurge, discriminator="type")
    include_child_namespaces: Dynamic[bool] = True
    expired_only: Dynamic[bool] | None = None

    def run(self, ctx: RunContext) -> dict[str, object]:
        namespaces = chosen_namespaces(
            ctx,
            self.namespaces,
            pattern=self.namespace_pattern,
            children=ctx.render(self.include_child_namespaces, bool),
        )
        pattern, how = ctx.render(self.key_pattern), self.behavior
        if isinstance(how, VersionPurge):
            size = ctx.platform.kv.purge(
                namespaces,
                pattern=pattern,
                expired_only=False,
                before=ctx.render(how.before, datetime),
                keep=ctx.render(how.keep_amount, int),
            )
        else:
            only = how.expired_only if self.expired_only is None else self.expired_only
            size = ctx.platform.kv.purge(namespaces, pattern=pattern, expired_only=ctx.render(only, bool))
        return {"size": size}


def typed(value: object, kind: KvType) -> object:
    """`value` as a value of that kind. Raises TaskFailed when it cannot be."""
    match kind:
        case KvType.STRING:
            return text_of(value)
        case KvType.NUMBER:
            return _number(value)
        case KvType.BOOLEAN:
            return convert(value, bool)
        case KvType.DATETIME:
            return convert(value, datetime)
        case KvType.DATE:
            return value if isinstance(value, date) else date.fromisoformat(text_of(value))
        case KvType.DURATION:
            return value if isinstance(value, timedelta) else parse_duration(text_of(value))
        case KvType.JSON:
            return _json(value)


def patched(stored: object, change: object) -> object:
    """What `stored` becomes by a partial change."""
    if isinstance(change, Mapping) and set(change) == {"value"}:
        return change["value"]
    if isinstance(change, Sequence) and not isinstance(change, str):
        result = stored
        for entry in change:
            if not isinstance(entry, Mapping) or "key" not in entry:
                raise TaskFailed(f"expected entries `{{key, value}}`, found `{text_of(entry)}`")
            result = _set_at(result, str(entry["key"]).split("."), entry.get("value"))
        return result
    if isinstance(change, Mapping) and isinstance(stored, Mapping):
        return _merged(stored, change)
    return change


def chosen_namespaces(ctx: RunContext, names: object, *, pattern: str | None, children: bool) -> list[str]:
    """Namespaces by name (with those below them) or by a glob; the flow's own by default."""
    from penstock.plugin.globs import matches

    if names is not None and pattern is not None:
        raise TaskFailed("`namespaces` and `namespacePattern` exclude one another: give one of them")
    glob = ctx.render(pattern)
    if glob is not None:
        return [name for name in ctx.platform.flows.namespaces() if matches(name, glob)]
    given = ctx.render(names, list[str]) or [ctx.namespace]
    if not children:
        return list(given)
    return list(dict.fromkeys(found for name in given for found in [name, *ctx.platform.flows.namespaces(name)]))


def _merged(stored: Mapping[object, object], change: Mapping[object, object]) -> dict[object, object]:
    result = dict(stored)
    for key, value in change.items():
        old = result.get(key)
        result[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def _set_at(stored: object, path: list[str], value: object) -> object:
    if not path:
        return value
    level = dict(stored) if isinstance(stored, Mapping) else {}
    level[path[0]] = _set_at(level.get(path[0]), path[1:], value)
    return level


def _number(value: object) -> object:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    try:
        found = json.loads(text_of(value))
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, (int, float)) or isinstance(found, bool):
        raise TaskFailed(f"expected a number, found `{text_of(value)}`")
    return found


def _json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as problem:
        raise TaskFailed(f"expected JSON, found `{value}`: {problem}") from problem


def _shown(value: object) -> object:
    if isinstance(value, timedelta):
        return format_duration(value)
    return value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else value


def _missing(key: str, namespace: str) -> TaskFailed:
    return TaskFailed(f"No value found for key '{key}' in namespace '{namespace}' and `errorOnMissing` is set to true")


def _exists(key: str) -> TaskFailed:
    return TaskFailed(f"Cannot set value for key '{key}'. Key already exists and `overwrite` is set to `false`.")
