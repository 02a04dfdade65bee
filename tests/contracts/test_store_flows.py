"""What every store of flows does: revisions stay, the latest counts, a deleted flow is out of sight."""

from __future__ import annotations

import msgspec
import pytest
from store_samples import at

from penstock.errors import BadRequest, Conflict
from penstock.ports.flows import FlowRow
from penstock.ports.reads import AnyOf, Filter, Sort


def flow(flow_id="hello", namespace="company.team", revision=1, **given):
    """A revision of a flow."""
    found = {
        "tenant_id": "main",
        "namespace": namespace,
        "id": flow_id,
        "revision": revision,
        "source": f"id: {flow_id}\nnamespace: {namespace}\n",
        "document": {"id": flow_id, "namespace": namespace, "tasks": [{"id": "a", "n": 1.5, "x": None}]},
        "updated": at(revision),
    }
    return FlowRow(**(found | given))


def names(rows):
    """`id:revision` of rows."""
    return [f"{row.id}:{row.revision}" for row in rows]


KEY = ("main", "company.team", "hello")


def test_a_revision_comes_back_as_it_was_saved(store):
    row = flow(labels={"team": "dätä"}, disabled=True, draft=True, error="no tasks", source="id: x\x00\r\n# ü\n")
    store.flows.save(row)
    assert store.flows.latest(*KEY) == row
    assert store.flows.revision(*KEY, number=1) == row
    assert store.flows.revision(*KEY, number=2) is None
    assert store.flows.latest("other", "company.team", "hello") is None


def test_the_highest_revision_is_the_latest(store):
    for number in (1, 3, 2):
        store.flows.save(flow(revision=number))
    assert store.flows.latest(*KEY).revision == 3
    assert names(store.flows.revisions(*KEY)) == ["hello:1", "hello:2", "hello:3"]
    assert names(store.flows.all_latest()) == ["hello:3"]
    assert names(store.flows.search("main", []).results) == ["hello:3"]


def test_a_revision_is_saved_only_once(store):
    store.flows.save(flow())
    with pytest.raises(Conflict):
        store.flows.save(flow(source="other"))
    assert store.flows.latest(*KEY).source == flow().source


def test_a_deleted_flow_is_out_of_sight_until_it_comes_back(store):
    store.flows.save(flow())
    store.flows.save(flow(revision=2, deleted=True))
    assert store.flows.latest(*KEY) is None
    assert store.flows.latest(*KEY, allow_deleted=True).revision == 2
    assert store.flows.search("main", []).total == 0
    assert store.flows.namespaces("main") == []
    assert list(store.flows.all_latest()) == []

    store.flows.save(flow(revision=3))
    assert names(store.flows.search("main", []).results) == ["hello:3"]


def test_all_latest_of_one_tenant_or_all(store):
    for tenant in ("main", "zoo", "other"):
        for n in range(3):
            store.flows.save(flow(f"f{n}", tenant_id=tenant))
    assert len(list(store.flows.all_latest())) == 9
    assert [row.tenant_id for row in store.flows.all_latest("other")] == ["other"] * 3
    assert list(store.flows.all_latest("nobody")) == []


@pytest.fixture
def populated(store):
    store.flows.save(flow("one", "company", labels={"team": "data"}))
    store.flows.save(flow("two", "company.team", source="id: two\nmessage: Grüße\nmore: GRÜSSE GRÜẞE grüße\n"))
    store.flows.save(flow("three", "company.team.deep", disabled=True, revision=4))
    store.flows.save(flow("four", "companyx", draft=True))
    store.flows.save(flow("five", "system"))
    return store


@pytest.mark.parametrize(
    ("field", "operation", "value", "expected"),
    [
        ("q", "EQUALS", "TWO", "two"),
        ("q", "EQUALS", "company th", "three"),
        ("namespace", "EQUALS", "company", "one"),
        ("namespace", "PREFIX", "company", "one two three"),
        ("namespace", "IN", "company,system", "one five"),
        ("flowId", "STARTS_WITH", "t", "two three"),
        ("flowId", "REGEX", "^(one|two)$", "one two"),
        ("labels", "EQUALS", {"team": "data"}, "one"),
        ("labels", "NOT_EQUALS", {"team": "data"}, "two three four five"),
        ("scope", "EQUALS", "SYSTEM", "five"),
        ("disabled", "EQUALS", "true", "three"),
        ("draft", "EQUALS", False, "one two three five"),
        ("updated", "GREATER_THAN", at(2), "three"),
    ],
)
def test_searches(populated, field, operation, value, expected):
    found = populated.flows.search("main", [Filter(field, operation, value)])
    assert [row.id for row in found.results] == expected.split()


def test_groups_orders_and_pages(populated):
    search = populated.flows.search
    either = AnyOf((Filter("flowId", "EQUALS", "one"), Filter("disabled", "EQUALS", "true")))
    assert names(search("main", [either]).results) == ["one:1", "three:4"]
    page = search("main", [], sort=[Sort("id", descending=True)], page=2, size=2)
    assert (names(page.results), page.total) == (["one:1", "four:1"], 5)
    with pytest.raises(BadRequest):
        search("main", [Filter("source", "CONTAINS", "x")])
    with pytest.raises(BadRequest):
        search("main", [], sort=[Sort("source")])


def test_flows_of_a_namespace(populated):
    assert names(populated.flows.in_namespace("main", "company")) == ["one:1"]
    assert names(populated.flows.in_namespace("main", "company", children=True)) == ["one:1", "two:1", "three:4"]
    assert populated.flows.namespaces("main") == ["company", "company.team", "company.team.deep", "companyx", "system"]


def test_search_in_sources(populated):
    found = populated.flows.search_source("main", "GRÜ")
    (match,) = found.results
    assert (match.flow.id, found.total) == ("two", 1)
    assert match.fragments == [
        "message: [mark]Grü[/mark]ße",
        "more: [mark]GRÜ[/mark]SSE [mark]GRÜ[/mark]ẞE [mark]grü[/mark]ße",
    ]
    assert populated.flows.search_source("main", "namespace: company").total == 3
    inside = populated.flows.search_source("main", "ID:", namespace="company", page=3, size=1)
    assert ([m.flow.id for m in inside.results], inside.total) == (["three"], 3)


def test_revisions_are_removed_for_good(store):
    for number in (1, 2, 3):
        store.flows.save(flow(revision=number))
    assert store.flows.delete_revisions(*KEY, numbers=[3, 1, 9]) == 2
    assert store.flows.latest(*KEY).revision == 2
    assert names(store.flows.search("main", []).results) == ["hello:2"]
    assert store.flows.delete_revisions(*KEY) == 1
    assert store.flows.latest(*KEY, allow_deleted=True) is None
    assert store.flows.delete_revisions(*KEY) == 0


def test_a_row_is_not_shared_with_its_giver(store):
    document = {"tasks": []}
    row = flow(document=document)
    store.flows.save(row)
    document["tasks"].append("later")
    assert store.flows.latest(*KEY) == msgspec.structs.replace(row, document={"tasks": []})
