"""Plugin defaults of the server and of namespaces, from the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from penstock.errors import BadRequest
from penstock.model.flow import PluginDefault


class PluginDefaults:
    """Which defaults hold for the flows of a namespace, beside the flows' own."""

    def __init__(self, entries: Sequence[Mapping[str, object]]) -> None:
        """Each entry has `type`, `values`, optionally `forced`, and `namespace`: that one and those below it.

        Raises:
            BadRequest: an entry that is none; the message says which.
        """
        self._entries = [_read(entry, place) for place, entry in enumerate(entries)]

    def of(self, namespace: object) -> list[PluginDefault]:
        """Nearest first: those of the namespace itself, of its parents, then the server's."""
        name = f"{namespace}."
        mine = [(of, default) for of, default in self._entries if name.startswith(f"{of}." if of else "")]
        return [default for _, default in sorted(mine, key=lambda one: -len(one[0]))]


def _read(entry: Mapping[str, object], place: int) -> tuple[str, PluginDefault]:
    values = dict(entry)
    namespace = values.pop("namespace", "") or ""
    try:
        return str(namespace), PluginDefault.model_validate(values, by_alias=True, by_name=False)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"setting plugin_defaults[{place}].{where}: {first['msg']}") from error
