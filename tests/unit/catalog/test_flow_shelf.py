"""Flows are created, changed and deleted by the rules of engine.md 6.8."""

from __future__ import annotations

import pytest
from small_flows import flow_source

from penstock.catalog.bulk import import_flows, upsert
from penstock.catalog.flows import FlowShelf, Shelved
from penstock.catalog.validation import validate
from penstock.errors import Conflict, FlowInvalid, NotFound, Unprocessable
from penstock.ports.reads import Filter

NS = "company.team"


def test_a_new_flow_has_revision_one_and_is_found(shelf: FlowShelf) -> None:
    created = shelf.create("main", flow_source(extra="labels:\n  team: data\n"))

    assert created.row.revision == 1
    assert shelf.current("main", NS, "hello") is created
    assert created.row.labels == {"team": "data"}
    assert created.row.document["labels"] == [{"key": "team", "value": "data"}]
    assert created.row.source == flow_source(extra="labels:\n  team: data\n")


def test_creating_a_flow_twice_is_refused(shelf: FlowShelf) -> None:
    shelf.create("main", flow_source())

    with pytest.raises(Conflict, match=r"^Conflict: Flow 'hello' already exists in namespace 'company\.team'\.$"):
        shelf.create("main", flow_source(extra="description: other\n"))


def test_the_same_source_keeps_its_revision_whatever_its_revision_line_says(shelf: FlowShelf) -> None:
    shelf.create("main", flow_source())

    assert shelf.update("main", NS, "hello", source=flow_source(extra="revision: 7\n")).row.revision == 1
    assert shelf.update("main", NS, "hello", source=flow_source(extra="description: new\n")).row.revision == 2


def test_numbering_goes_on_after_a_deletion(shelf: FlowShelf) -> None:
    shelf.create("main", flow_source())
    shelf.delete("main", NS, "hello")

    assert shelf.current("main", NS, "hello") is None
    assert shelf.create("main", flow_source()).row.revision == 3
    assert [row.revision for row in shelf.revisions("main", NS, "hello")] == [1, 3]
    assert [row.deleted for row in shelf.revisions("main", NS, "hello", allow_deleted=True)] == [False, True, False]


def test_executions_keep_the_revision_of_a_deleted_flow(shelf: FlowShelf) -> None:
    shelf.create("main", flow_source())
    shelf.delete("main", NS, "hello")

    kept = shelf.at("main", NS, "hello", revision=1)
    assert kept is not None
    assert kept.flow.id == "hello"
    assert shelf.find("main", NS, "hello", revision=2) is None  # the tombstone


def test_a_flow_cannot_change_its_id_or_namespace(shelf: FlowShelf) -> None:
    shelf.create("main", flow_source())

    with pytest.raises(Unprocessable, match="Illegal flow id update"):
        shelf.update("main", NS, "hello", source=flow_source("other"))
    with pytest.raises(Unprocessable, match="Illegal namespace update"):
        shelf.update("main", NS, "hello", source=flow_source(namespace="other"))


def test_updating_or_deleting_an_unknown_flow_is_not_found(shelf: FlowShelf) -> None:
    with pytest.raises(NotFound):
        shelf.update("main", NS, "hello", source=flow_source())
    with pytest.raises(NotFound):
        shelf.delete("main", NS, "hello")


def test_disabling_writes_a_revision_and_enabling_another(shelf: FlowShelf) -> None:
    shelf.create("main", flow_source())

    assert shelf.set_disabled("main", NS, "hello", disabled=True)
    assert not shelf.set_disabled("main", NS, "hello", disabled=True)
    disabled = shelf.latest("main", NS, "hello")
    assert (disabled.row.disabled, disabled.row.revision) == (True, 2)
    assert disabled.row.source.endswith("\ndisabled: true\n")
    assert shelf.set_disabled("main", NS, "hello", disabled=False)
    assert shelf.latest("main", NS, "hello").row.source.endswith("\ndisabled: false\n")


def test_an_earlier_revision_is_restored_as_the_newest(shelf: FlowShelf) -> None:
    shelf.create("main", flow_source(extra="description: first\n"))
    shelf.update("main", NS, "hello", source=flow_source(extra="description: second\n"))

    restored = shelf.restore("main", NS, "hello", revision=1)
    assert (restored.row.revision, restored.flow.description) == (3, "first")


def test_drafts_do_not_run_unless_they_are_named(shelf: FlowShelf) -> None:
    shelf.create("main", flow_source())
    draft = shelf.update("main", NS, "hello", source="id: hello\nnamespace: company.team\ntasks: [", draft=True)

    assert draft.error is not None
    running = shelf.current("main", NS, "hello")
    assert running is not None
    assert running.row.revision == 1
    assert shelf.latest("main", NS, "hello").row.revision == 2


def test_a_stored_flow_that_no_longer_parses_is_kept_with_its_error(shelf: FlowShelf, store) -> None:
    from msgspec.structs import replace

    row = shelf.create("main", flow_source()).row
    store.flows.save(replace(row, revision=2, source=flow_source().replace("log.Log", "log.Gone")))
    shelf.forget("main", NS, "hello")

    kept = shelf.current("main", NS, "hello")
    assert kept is not None
    assert kept.error is not None
    assert "Invalid type" in kept.error
    with pytest.raises(Conflict, match="not valid"):
        _ = kept.flow


def test_nothing_is_parsed_before_it_is_needed(shelf: FlowShelf, parses: list[str]) -> None:
    for number in range(5):
        shelf.create("main", flow_source(f"flow{number}"))
    fresh = FlowShelf(shelf.rows, shelf.parse, clock=shelf._clock)
    parses.clear()

    assert shelf.search("main", [Filter("q", "EQUALS", "flow")]).total == 5
    assert fresh.current("main", NS, "flow3") is fresh.current("main", NS, "flow3")
    assert len(parses) == 1


def test_the_cache_is_bounded(shelf: FlowShelf) -> None:
    small = FlowShelf(shelf.rows, shelf.parse, clock=shelf._clock, capacity=3)
    for number in range(6):
        small.create("main", flow_source(f"flow{number}"))

    assert all(small.current("main", NS, f"flow{number}") for number in range(6))
    assert len(small._revisions) <= 3
    assert len(small._current) <= 3


def test_callbacks_hear_of_every_change(shelf: FlowShelf) -> None:
    heard: list[tuple[str, int, int | None]] = []

    def saved(new: Shelved, before: Shelved | None) -> None:
        heard.append(("saved", new.row.revision, before.row.revision if before else None))

    shelf.on_saved(saved)
    shelf.on_deleted(lambda row: heard.append(("deleted", row.revision, None)))
    shelf.create("main", flow_source())
    shelf.update("main", NS, "hello", source=flow_source(extra="description: x\n"))
    shelf.update("main", NS, "hello", source=flow_source(extra="description: x\n"))
    shelf.delete("main", NS, "hello")

    assert heard == [("saved", 1, None), ("saved", 2, 1), ("deleted", 3, None)]


def test_the_latest_revision_cannot_be_removed_but_others_can(shelf: FlowShelf) -> None:
    shelf.create("main", flow_source())
    shelf.update("main", NS, "hello", source=flow_source(extra="description: x\n"))

    with pytest.raises(Unprocessable, match="latest revision"):
        shelf.delete_revisions("main", NS, "hello", numbers=[1, 2])
    assert shelf.delete_revisions("main", NS, "hello", numbers=[1]) == 1
    assert shelf.at("main", NS, "hello", revision=1) is None


def test_a_bulk_upsert_removes_what_is_not_in_it(shelf: FlowShelf) -> None:
    for name in ("keep", "drop"):
        shelf.create("main", flow_source(name))
    done = upsert(shelf, "main", flow_source("keep") + "---\n" + flow_source("new"), namespace=NS)

    assert [s.row.id for s in done.saved] == ["keep", "new"]
    assert done.deleted == [(NS, "drop")]


def test_a_bulk_upsert_with_one_bad_flow_changes_nothing(shelf: FlowShelf) -> None:
    bad = flow_source("bad").replace("log.Log", "log.Nope")
    with pytest.raises(FlowInvalid, match="bad"):
        upsert(shelf, "main", flow_source("good") + "---\n" + bad, namespace=NS)
    with pytest.raises(Unprocessable, match="namespace is invalid"):
        upsert(shelf, "main", flow_source("good") + "---\n" + flow_source("far", "other"), namespace=NS)

    assert shelf.current("main", NS, "good") is None


def test_an_import_names_what_failed(shelf: FlowShelf) -> None:
    assert import_flows(shelf, "main", {"a.yaml": flow_source("a"), "b.yaml": "id: ["}) == ["b.yaml"]
    assert shelf.current("main", NS, "a") is not None


def test_validation_answers_one_result_per_document(shelf: FlowShelf) -> None:
    shelf.create("main", flow_source())
    sub = flow_source("caller").replace(
        "tasks:\n", "tasks:\n  - {id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: x, flowId: gone}\n"
    )
    bad = flow_source("bad").replace("log.Log", "log.Nope")
    results = validate(shelf, "main", "---\n".join([flow_source(extra="revision: 9\n"), sub, bad]))

    assert [r.index for r in results] == [0, 1, 2]
    assert [r.outdated for r in results] == [True, False, False]
    assert results[1].warnings == ["The subflow 'gone' not found in namespace 'x'."]
    assert "Invalid type" in str(results[2].constraints)
    assert (results[2].flow, results[2].namespace) == ("bad", NS)
