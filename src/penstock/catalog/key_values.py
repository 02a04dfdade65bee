"""The KV store: small typed values by namespace and key, with a time to live and inherited look-up.

Values are kept as JSON text with Kestra's type beside them. The type is that of the value, or, for a text sent by a
client, what the text looks like: `"quoted"`, a number, `true`, JSON, a bare ISO date-time, date or duration.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from penstock.catalog.coercion import instant_text, parse_date, parse_instant
from penstock.clock import Clock
from penstock.errors import Conflict, Gone, NotFound, Unprocessable
from penstock.model.duration import format_duration, parse_duration
from penstock.ports.key_values import KeyValues, KvRow
from penstock.ports.reads import Condition, Filter, Page, Sort

KEY_PATTERN: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*")
_ISO_ZONED: Final = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:?\d{2})", re.IGNORECASE)
_ISO_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_ISO_DURATION: Final = re.compile(r"-?P(?=.)[0-9YMWDTHS.,+-]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class KeyValue:
    """One stored value with its type: texts, numbers, booleans, JSON, `datetime`, `date`, `timedelta`."""

    row: KvRow
    value: object

    @property
    def wire(self) -> object:
        """The value as JSON holds it: moments and durations as ISO text."""
        return wire_value(self.value)


class KeyValueStore:
    """Keys of the namespaces of all tenants."""

    def __init__(self, rows: KeyValues, *, clock: Clock) -> None:
        self._rows = rows
        self._clock = clock

    def find(self, tenant: str, namespace: str, key: str, *, inherited: bool = False) -> KeyValue | None:
        """The live value of a key, with `inherited` also of the nearest parent namespace that has it, or None."""
        now = self._clock.now()
        for place in with_parents(namespace) if inherited else (namespace,):
            row = self._rows.get(tenant, place, key, now=now)
            if row is not None:
                return KeyValue(row, read_value(row.type, row.value))
        return None

    def get(self, tenant: str, namespace: str, key: str) -> KeyValue:
        """The live value of a key of exactly this namespace.

        Raises:
            Gone: the key has expired.
            NotFound: there is no such key.
        """
        found = self.find(tenant, namespace, key)
        if found is not None:
            return found
        here = [Filter("namespace", "EQUALS", namespace), Filter("key", "EQUALS", key)]
        if self._rows.list(tenant, here, now=self._clock.now(), with_expired=True).total:
            raise Gone(f"Value for key '{key}' in namespace '{namespace}' has expired")
        raise NotFound(f"No value found for key '{key}' in namespace '{namespace}'")

    def put(
        self,
        tenant: str,
        namespace: str,
        key: str,
        *,
        value: object,
        description: str | None = None,
        ttl: timedelta | None = None,
        overwrite: bool = True,
    ) -> KeyValue:
        """Stores a value, replacing that of the key.

        Raises:
            Conflict: `overwrite` is false and the key exists.
            Unprocessable: the key has another form, or `ttl` is not positive.
        """
        _check_key(key)
        now = self._clock.now()
        row = KvRow(
            tenant_id=tenant,
            namespace=namespace,
            key=key,
            type=type_of(value),
            value=json.dumps(wire_value(value), ensure_ascii=False),
            description=description,
            created=now,
            updated=now,
            expires=now + _checked_ttl(ttl) if ttl is not None else None,
        )
        try:
            return KeyValue(self._rows.put(row, overwrite=overwrite), value)
        except Conflict as fault:
            raise Conflict(
                f"Cannot set value for key '{key}' in namespace '{namespace}': it exists and `overwrite` is `false`"
            ) from fault

    def put_text(
        self,
        tenant: str,
        namespace: str,
        key: str,
        *,
        text: str,
        description: str | None = None,
        ttl: timedelta | None = None,
    ) -> KeyValue:
        """Stores what a client sent as text; its type is deduced. Raises as `put`."""
        value = deduce(text)
        return self.put(tenant, namespace, key, value=value, description=description, ttl=ttl)

    def delete(self, tenant: str, namespace: str, key: str) -> bool:
        """Removes a key; False when there was none."""
        return self._rows.delete(tenant, namespace, key, now=self._clock.now())

    def delete_all(self, tenant: str, namespace: str, keys: Sequence[str]) -> list[str]:
        """Removes several keys; returns those that were there."""
        return [key for key in keys if self.delete(tenant, namespace, key)]

    def search(
        self,
        tenant: str,
        filters: Sequence[Condition] = (),
        *,
        sort: Sequence[Sort] = (),
        page: int = 1,
        size: int | None = None,
    ) -> Page[KvRow]:
        """Live keys that satisfy all filters (`ports.key_values`)."""
        return self._rows.list(tenant, filters, now=self._clock.now(), sort=sort, page=page, size=size)

    def keys(self, tenant: str, namespace: str, *, prefix: str = "") -> list[str]:
        """Names of the live keys of a namespace that start with `prefix`, sorted."""
        here = [Filter("namespace", "EQUALS", namespace)]
        return sorted(row.key for row in self.search(tenant, here).results if row.key.startswith(prefix))

    def inherited(self, tenant: str, namespace: str) -> list[KvRow]:
        """Live keys of the parents of a namespace that it can read, nearest first; hidden ones are left out."""
        seen = set(self.keys(tenant, namespace))
        found: list[KvRow] = []
        for parent in list(with_parents(namespace))[1:]:
            rows = self.search(tenant, [Filter("namespace", "EQUALS", parent)]).results
            found += [row for row in rows if row.key not in seen]
            seen.update(row.key for row in rows)
        return found

    def purge(
        self,
        tenant: str,
        namespaces: Sequence[str],
        *,
        pattern: str | None = None,
        expired_only: bool = True,
    ) -> int:
        """Removes keys of some namespaces whose names match a glob: the expired ones, or all. Returns how many."""
        now = self._clock.now()
        removed = 0
        for row in self._of(tenant, namespaces, pattern):
            expired = row.expires is not None and row.expires <= now
            if (expired or not expired_only) and self._remove(row):
                removed += 1
        return removed

    def purge_expired(self) -> int:
        """Removes what has expired, in all tenants; returns how many."""
        return self._rows.purge_expired(self._clock.now())

    def _of(self, tenant: str, namespaces: Sequence[str], pattern: str | None) -> Iterator[KvRow]:
        for namespace in namespaces:
            here = [Filter("namespace", "EQUALS", namespace)]
            for row in self._rows.list(tenant, here, now=self._clock.now(), with_expired=True).results:
                if pattern is None or fnmatch.fnmatchcase(row.key, pattern):
                    yield row

    def _remove(self, row: KvRow) -> bool:
        """Removes a row that may have expired: to the store it still exists at the moment it was written."""
        return self._rows.delete(row.tenant_id, row.namespace, row.key, now=row.updated)


def with_parents(namespace: str) -> Iterator[str]:
    """`a.b.c`, `a.b`, `a`."""
    while namespace:
        yield namespace
        namespace = namespace.rpartition(".")[0]


def type_of(value: object) -> str:
    """Kestra's type of a value."""
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int | float):
        return "NUMBER"
    if isinstance(value, datetime):
        return "DATETIME"
    if isinstance(value, date):
        return "DATE"
    if isinstance(value, timedelta):
        return "DURATION"
    return "STRING" if isinstance(value, str) else "JSON"


def wire_value(value: object) -> object:
    """`value` as JSON holds it."""
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Mapping):
        return {str(key): wire_value(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [wire_value(item) for item in value]
    return str(value) if isinstance(value, str) else value


def read_value(kind: str, text: str) -> object:
    """The value behind stored JSON text."""
    value = json.loads(text)
    read = _READERS.get(kind)
    return read(value) if read is not None and isinstance(value, str) else value


_READERS: Final[Mapping[str, Callable[[str], object]]] = {
    "DATETIME": parse_instant,
    "DATE": parse_date,
    "DURATION": parse_duration,
}


def deduce(text: str) -> object:
    """The value that a client's text stands for; what looks like nothing else is a text."""
    trimmed = text.strip()
    try:
        if _ISO_ZONED.fullmatch(trimmed):
            return parse_instant(trimmed)
        if _ISO_DATE.fullmatch(trimmed):
            return parse_date(trimmed)
        if _ISO_DURATION.fullmatch(trimmed):
            return parse_duration(trimmed)
    except ValueError:
        return text
    try:
        return json.loads(trimmed)
    except ValueError:
        return text


def _check_key(key: str) -> None:
    if not KEY_PATTERN.fullmatch(key):
        raise Unprocessable(
            f"Illegal argument: Invalid key '{key}': expected a letter or digit, then letters, digits, `.`, `_` and `-`"
        )


def _checked_ttl(ttl: timedelta) -> timedelta:
    if ttl <= timedelta(0):
        raise Unprocessable(f"Illegal argument: Invalid ttl {format_duration(ttl)}: expected a duration above zero")
    return ttl
