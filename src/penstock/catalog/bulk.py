"""Many flows at once: a text of several documents becomes the flows of a namespace, or of several."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from penstock.catalog.sources import heading_of, split_documents
from penstock.errors import FlowInvalid, PenstockError, Problem, Unprocessable

if TYPE_CHECKING:
    from penstock.catalog.flows import FlowShelf, Shelved


@dataclass(frozen=True, slots=True)
class Upserted:
    """What a bulk upsert did: the flows that are there now, and (namespace, id) of those that were removed."""

    saved: list[Shelved] = field(default_factory=list)
    deleted: list[tuple[str, str]] = field(default_factory=list)


def upsert(
    shelf: FlowShelf,
    tenant: str,
    text: str,
    *,
    namespace: str | None = None,
    children: bool = False,
    delete: bool = True,
) -> Upserted:
    """Saves every flow of `text` and, with `delete`, removes the flows of `namespace` that are not in it.

    With `children` the flows may also stand in namespaces below `namespace`, and those are tidied too. Without a
    namespace flows of any are taken, and `delete` tidies the namespaces that appear. Everything is validated before
    anything is written.

    Raises:
        FlowInvalid: a document is not valid; problems name the flow. Nothing is written.
        Unprocessable: a flow stands in another namespace, or twice in the text. Nothing is written.
    """
    sources = split_documents(text)
    names = _validated(shelf, sources, namespace, children)
    saved = [shelf.put(tenant, source) for source in sources]
    deleted = _tidy(shelf, tenant, set(names), _scopes(names, namespace), children) if delete else []
    return Upserted(saved, deleted)


def import_flows(shelf: FlowShelf, tenant: str, sources: dict[str, str], *, fail_on_error: bool = False) -> list[str]:
    """Saves each source; returns the names of those that failed.

    Raises:
        FlowInvalid, Unprocessable: with `fail_on_error`, for the first that fails.
    """
    failed: list[str] = []
    for name, source in sources.items():
        try:
            shelf.put(tenant, source)
        except PenstockError:
            if fail_on_error:
                raise
            failed.append(name)
    return failed


def _validated(shelf: FlowShelf, sources: list[str], namespace: str | None, children: bool) -> list[tuple[str, str]]:
    problems: list[Problem] = []
    names: list[tuple[str, str]] = []
    for index, source in enumerate(sources):
        try:
            flow = shelf.parse(source).flow
        except FlowInvalid as fault:
            name = heading_of(source).id or str(index)
            problems += [Problem(str(p), path=f"flows[{name}]") for p in fault.problems]
            continue
        names.append((flow.namespace, flow.id))
    if problems:
        raise FlowInvalid(problems)
    _refuse_strangers(names, namespace, children)
    return names


def _refuse_strangers(names: list[tuple[str, str]], namespace: str | None, children: bool) -> None:
    problems = [
        Problem(f"Flow namespace is invalid: expected `{namespace}`, found `{found}`", path="flow.namespace")
        for found, _ in names
        if namespace is not None and not _is_in(found, namespace, children)
    ]
    twice = {name for name in names if names.count(name) > 1}
    problems += [Problem(f"Duplicate flow `{ns}.{flow_id}`", path="flow.id") for ns, flow_id in sorted(twice)]
    if problems:
        raise Unprocessable("Invalid entity: " + ", ".join(str(p) for p in problems), problems=problems)


def _is_in(found: str, namespace: str, children: bool) -> bool:
    return found == namespace or (children and found.startswith(namespace + "."))


def _scopes(names: list[tuple[str, str]], namespace: str | None) -> list[str]:
    return [namespace] if namespace is not None else sorted({found for found, _ in names})


def _tidy(
    shelf: FlowShelf, tenant: str, kept: set[tuple[str, str]], scopes: list[str], children: bool
) -> list[tuple[str, str]]:
    present = {
        (row.namespace, row.id) for scope in scopes for row in shelf.in_namespace(tenant, scope, children=children)
    }
    gone = sorted(present - kept)
    for namespace, flow_id in gone:
        shelf.delete(tenant, namespace, flow_id)
    return gone
