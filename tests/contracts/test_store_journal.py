"""What every journal does: batches go in whole, and what is live comes back."""

from __future__ import annotations

import msgspec
import pytest
from store_samples import at, context, created, execution, iteration, log, metric, output, run

from penstock.errors import Bug
from penstock.model.state import State, StateChange
from penstock.ports.journal import Batch, LoopValues, OutputRow, Timer, Transition


def ended(record, state=State.SUCCESS):
    """The same record, terminated."""
    return msgspec.structs.replace(record, state=state, histories=[*record.histories, StateChange(state, at(60))])


def test_an_execution_comes_back_as_it_went_in(store):
    one = execution(schedule_date=at(5), held=2)
    given = context({"team": "data"}, source="parent", number=1, nested={"a": [1, None, "ü\x00"]})
    store.journal.commit(created(one, contexts={one.id: given}))

    loaded = store.journal.load(one.id)

    assert loaded.execution == one
    assert loaded.context == given
    assert loaded.runs == []
    assert store.journal.load("nothing") is None


def test_what_is_kept_is_a_copy(store):
    one, first = execution(), run(1)
    store.journal.commit(created(one, created_runs=[(one.id, first)]))
    one.held, first.stamp = 7, 7

    loaded = store.journal.load(one.id)

    assert (loaded.execution.held, loaded.runs[0].stamp) == (0, 0)


def test_load_returns_only_live_runs_in_order_of_creation(store):
    one = execution()
    runs = [run(n) for n in range(1, 6)]
    store.journal.commit(created(one, created_runs=[(one.id, r) for r in runs]))
    over = [ended(runs[0]), ended(runs[2], State.FAILED)]
    store.journal.commit(Batch(changed_runs=[(one.id, r) for r in over]))

    assert [r.id for r in store.journal.load(one.id).runs] == [runs[1].id, runs[3].id, runs[4].id]
    assert [r.id for r in store.journal.runs(one.id)] == [r.id for r in runs]
    assert store.journal.runs(one.id, [runs[0].id, "unknown"]) == [over[0]]
    assert store.journal.runs(one.id, []) == []
    assert store.journal.runs("unknown") == []


def test_a_run_that_comes_back_to_life_is_live_again(store):
    one, first = execution(), run(1)
    store.journal.commit(created(one, created_runs=[(one.id, first)]))
    store.journal.commit(Batch(changed_runs=[(one.id, ended(first, State.FAILED))]))
    first.state = State.RESTARTED
    store.journal.commit(Batch(changed_runs=[(one.id, first)]))
    first.stamp = 3
    store.journal.commit(Batch(changed_runs=[(one.id, first)]))

    assert store.journal.load(one.id).runs == [first]


def test_ended_task_ids_are_those_of_one_parent(store):
    one = execution()
    parent = run(1, task_id="dag")
    runs = [
        parent,
        run(2, task_id="a", parent_id=parent.id, state=State.SUCCESS),
        run(3, task_id="b", parent_id=parent.id),
        run(4, task_id="top", state=State.FAILED),
    ]
    store.journal.commit(created(one, created_runs=[(one.id, r) for r in runs]))

    assert store.journal.ended_task_ids(one.id, parent.id) == ["a"]
    assert store.journal.ended_task_ids(one.id, None) == ["top"]
    assert store.journal.ended_task_ids("unknown", None) == []


def test_unfinished_are_those_that_are_not_closed(store):
    one, two, three = execution(), execution(state=State.SUCCESS), execution(state=State.SUCCESS, closed=True)
    store.journal.commit(created(one, two, three))
    assert store.journal.unfinished() == [one.id, two.id]

    one.closed = True
    store.journal.commit(Batch(changed_executions=[one]))
    assert store.journal.unfinished() == [two.id]


def test_removed_runs_take_their_outputs_and_values_along(store):
    one, first, second = execution(), run(1), run(2)
    store.journal.commit(
        created(
            one,
            created_runs=[(one.id, first), (one.id, second)],
            outputs=[output(one.id, first), output(one.id, second)],
            loop_values=[LoopValues(execution_id=one.id, task_run_id=first.id, start=0, values=["a"])],
        )
    )
    store.journal.commit(Batch(removed_runs=[(one.id, first.id), (one.id, "unknown"), ("unknown", first.id)]))

    assert [r.id for r in store.journal.runs(one.id)] == [second.id]
    assert [row.task_run_id for row in store.journal.outputs_of(one.id, [first.id, second.id])] == [second.id]
    assert store.journal.loop_values(one.id, first.id, 0, 5).values == []


def test_outputs_are_found_by_their_place(store):
    one = execution()
    runs = [
        run(1, task_id="each", path=("a", "x")),
        run(2, task_id="each", path=("a", 'q"[,')),
        run(3, task_id="each", path=("b", "x")),
        run(4, task_id="plain"),
        run(5, task_id="inner", owner="iteration-1"),
    ]
    store.journal.commit(
        created(one, created_runs=[(one.id, r) for r in runs], outputs=[output(one.id, r) for r in runs])
    )
    journal = store.journal

    assert journal.output(one.id, "", "each", ("a", 'q"[,')).task_run_id == runs[1].id
    assert journal.output(one.id, "", "each", ("a",)) is None
    assert journal.output(one.id, "", "plain", ()).value == {"value": "plain"}
    assert journal.output(one.id, "", "inner", ()) is None
    assert journal.output_keys(one.id, "", "each", ()) == ["a", "b"]
    assert journal.output_keys(one.id, "", "each", ("a",)) == ["x", 'q"[,']
    assert journal.output_keys(one.id, "", "plain", ()) == []
    assert journal.output_tasks(one.id, "") == ["each", "plain"]
    assert journal.output_tasks(one.id, "iteration-1") == ["inner"]
    assert journal.output_tasks("unknown", "") == []


def test_of_several_outputs_of_one_place_the_latest_run_counts(store):
    one, first, second = execution(), run(1, task_id="t"), run(2, task_id="t")
    store.journal.commit(
        created(
            one,
            created_runs=[(one.id, first), (one.id, second)],
            outputs=[output(one.id, second, value={"n": 2}), output(one.id, first, value={"n": 1})],
        )
    )
    assert store.journal.output(one.id, "", "t", ()).value == {"n": 2}

    store.journal.commit(Batch(outputs=[output(one.id, second, value=None, uri="kestra:///big", size=99)]))
    row = store.journal.output(one.id, "", "t", ())
    assert (row.value, row.uri, row.size) == (None, "kestra:///big", 99)
    assert [r.task_run_id for r in store.journal.outputs_of(one.id, [second.id, first.id])] == [first.id, second.id]


def test_outputs_of_a_run_that_is_nowhere_are_a_bug_and_nothing_is_written(store):
    one = execution()
    store.journal.commit(created(one))
    changed = msgspec.structs.replace(one, held=5)

    with pytest.raises(Bug):
        store.journal.commit(Batch(changed_executions=[changed], outputs=[output(one.id, run(1))]))
    assert store.journal.load(one.id).execution.held == 0

    store.journal.commit(Batch(changed_executions=[changed]))
    assert store.journal.load(one.id).execution.held == 5


def test_a_row_is_created_only_once(store):
    one, first = execution(), run(1)
    store.journal.commit(created(one, created_runs=[(one.id, first)]))

    with pytest.raises(Bug):
        store.journal.commit(created(one))
    with pytest.raises(Bug):
        store.journal.commit(Batch(created_runs=[(one.id, run(1))], logs=[log("lost", execution_id=one.id)]))
    store.journal.commit(Batch(created_runs=[(one.id, run(2))], logs=[log("kept", execution_id=one.id)]))

    assert [entry.message for entry in store.reads.logs("main", []).results] == ["kept"]
    assert len(store.journal.runs(one.id)) == 2


def test_loop_values_are_read_by_stretch(store):
    one, loop = execution(), run(1)
    values = [f"v{n}" for n in range(1_000)]
    keys = [f"k{n}" for n in range(1_000)]
    store.journal.commit(
        created(
            one,
            created_runs=[(one.id, loop)],
            loop_values=[
                LoopValues(execution_id=one.id, task_run_id=loop.id, start=0, values=values[:700], keys=keys[:700]),
                LoopValues(execution_id=one.id, task_run_id=loop.id, start=700, values=values[700:], keys=keys[700:]),
            ],
        )
    )

    for start, count in [(0, 1), (199, 2), (650, 100), (990, 50), (0, 1_000), (5_000, 3)]:
        found = store.journal.loop_values(one.id, loop.id, start, count)
        assert found.start == start
        assert found.values == values[start : start + count]
        assert (found.keys or []) == keys[start : start + count]


def test_timers_replace_one_another_and_are_removed(store):
    one = execution()
    store.journal.commit(
        created(one, timers=[Timer(execution_id=one.id, key=k, due=at(n), stamp=n) for n, k in enumerate("abc")])
    )
    again = Timer(execution_id=one.id, key="a", due=at(50), stamp=9)
    store.journal.commit(Batch(timers=[again], removed_timers=[(one.id, "a"), (one.id, "b"), (one.id, "none")]))

    assert [(t.key, t.due, t.stamp) for t in store.journal.timers()] == [("c", at(2), 2), ("a", at(50), 9)]


def test_queue_and_slots_are_counted_from_open_executions(store):
    flow = ("main", "company.team", "hello")
    holding = [execution(slot=True), execution(slot=True)]
    waiting = [execution(state=State.QUEUED, started=5), execution(state=State.QUEUED, started=1)]
    other = execution(flow_id="other", state=State.QUEUED)
    store.journal.commit(created(*holding, *waiting, other))

    assert store.journal.slots_used(*flow) == 2
    assert store.journal.oldest_queued(*flow) == waiting[1].id
    assert store.journal.oldest_queued("main", "company.team", "nothing") is None

    holding[0].closed = True
    waiting[1].state = State.RUNNING
    waiting[1].slot = True
    holding[1].slot = False
    store.journal.commit(Batch(changed_executions=[*holding, waiting[1]]))

    assert store.journal.slots_used(*flow) == 1
    assert store.journal.oldest_queued(*flow) == waiting[0].id


def test_children_are_found_by_the_trigger_of_their_context(store):
    parent, child, late, closed = execution(), execution(), execution(), execution(closed=True)
    store.journal.commit(
        created(
            parent,
            child,
            late,
            closed,
            contexts={child.id: context(source=parent.id), closed.id: context(source=parent.id)},
        )
    )
    assert store.journal.children(parent.id) == [child.id]

    store.journal.commit(Batch(contexts={late.id: context(source=parent.id)}))
    assert store.journal.children(parent.id) == [child.id, late.id]


def test_transitions_are_numbered_in_order(store):
    rows = [
        Transition(execution_id=str(n), tenant_id="main", namespace="a", flow_id="f", state=State.SUCCESS, at=at(n))
        for n in range(3)
    ]
    store.journal.commit(Batch(transitions=rows[:2]))
    store.journal.commit(Batch(transitions=rows[2:]))

    found = store.journal.transitions(10)
    assert [t.execution_id for t in found] == ["0", "1", "2"]
    assert found[0].id < found[1].id < found[2].id
    assert msgspec.structs.replace(found[0], id=0) == rows[0]
    assert [t.execution_id for t in store.journal.transitions(2)] == ["0", "1"]


def test_a_deleted_execution_is_gone_with_everything(store):
    one, two = execution(), execution()
    gone, stays = run(1, state=State.SUCCESS), run(1)
    store.journal.commit(
        created(
            one,
            two,
            contexts={one.id: context({"a": "b"}), two.id: context({"a": "b"})},
            created_runs=[(one.id, gone), (two.id, stays)],
            outputs=[output(one.id, gone)],
            execution_outputs=[OutputRow(execution_id=one.id, task_run_id="", task_id="", value={"x": 1})],
            timers=[Timer(execution_id=one.id, key="k", due=at(1))],
            logs=[log("one", execution_id=one.id), log("two", execution_id=two.id), log("t", trigger_id="daily")],
            metrics=[metric("m", 1, execution_id=one.id), metric("m", 2, execution_id=two.id)],
        )
    )
    store.journal.commit(Batch(deleted_executions=[one.id, "unknown"]))

    assert store.journal.load(one.id) is None
    assert store.journal.runs(one.id) == []
    assert store.journal.unfinished() == [two.id]
    assert list(store.journal.timers()) == []
    assert store.reads.run(gone.id) is None
    assert store.reads.execution_outputs(one.id) is None
    assert {e.message for e in store.reads.logs("main", []).results} == {"two", "t"}
    assert [e.value for e in store.reads.metrics("main", []).results] == [2]
    assert store.reads.search_executions("main", [], sort=[], page=1, size=10).total == 1


def test_what_comes_late_for_a_deleted_execution_is_dropped(store):
    one, two, first = execution(), execution(), run(1)
    store.journal.commit(created(one, two, created_runs=[(one.id, first)]))
    store.journal.commit(Batch(deleted_executions=[one.id]))
    store.journal.commit(
        Batch(
            changed_executions=[one, msgspec.structs.replace(two, held=1)],
            contexts={one.id: context()},
            created_runs=[(one.id, run(2))],
            changed_runs=[(one.id, first)],
            outputs=[output(one.id, first)],
            timers=[Timer(execution_id=one.id, key="k", due=at(1))],
            logs=[log("late", execution_id=one.id)],
            metrics=[metric("late", 1, execution_id=one.id)],
        )
    )

    assert store.journal.load(one.id) is None
    assert store.journal.load(two.id).execution.held == 1
    assert store.reads.logs("main", []).total == 0
    assert store.reads.metrics("main", []).total == 0
    assert list(store.journal.timers()) == []


@pytest.mark.parametrize(
    "message",
    ["plain", "", "nul\x00inside", "\U0001f600 é ÿ \u2028", "half \udc80 pair", "x" * 2_000_000],
    ids=["plain", "empty", "nul", "unicode", "surrogate", "huge"],
)
def test_any_text_survives_as_a_log_line(store, message):
    one = execution()
    store.journal.commit(created(one, logs=[log(message, execution_id=one.id)]))

    (entry,) = store.reads.logs("main", []).results
    assert entry.message == message.replace("\udc80", "\ufffd")


def test_outputs_and_inputs_hold_any_text(store):
    one, first = execution(), run(1, value="\udc80")
    odd = {"k\x00": "v\ud83d", "deep": ["\udfff", 1.5, True, None]}
    store.journal.commit(
        created(
            one,
            contexts={one.id: context({"label\udc80": "x"}, odd=odd)},
            created_runs=[(one.id, first)],
            outputs=[output(one.id, first, value=odd)],
        )
    )

    mended = {"k\x00": "v\ufffd", "deep": ["\ufffd", 1.5, True, None]}
    loaded = store.journal.load(one.id)
    assert loaded.context.inputs == {"odd": mended}
    assert loaded.runs[0].value == "\ufffd"
    assert store.journal.output(one.id, "", "task-1", ()).value == mended


def test_iterations_are_runs_like_others(store):
    one = execution()
    inside = iteration(1, iteration=0, value="a")
    store.journal.commit(created(one, created_runs=[(one.id, inside), (one.id, run(2, owner=inside.id))]))

    assert [r.kind.value for r in store.journal.runs(one.id)] == ["ITERATION", "TASK"]


def test_odd_values_of_outputs_are_kept_as_json_has_them(store):
    from types import MappingProxyType

    one, first = execution(), run(1)
    odd = MappingProxyType(
        {"big": 2**70, "set": {1}, "nested": MappingProxyType({"a": (1, 2)}), "keys": {None: 1, True: 2}}
    )
    store.journal.commit(created(one, created_runs=[(one.id, first)], outputs=[output(one.id, first, value=odd)]))
    assert store.journal.output(one.id, "", "task-1", ()).value == {
        "big": 2**70,
        "set": [1],
        "nested": {"a": [1, 2]},
        "keys": {"null": 1, "true": 2},
    }


def test_a_value_that_is_none_of_json_is_a_bug_and_nothing_is_written(store):
    one, first = execution(), run(1)
    store.journal.commit(created(one, created_runs=[(one.id, first)]))
    with pytest.raises(Bug, match="cannot be written as JSON"):
        store.journal.commit(Batch(outputs=[output(one.id, first, value={"x": object()})]))
    assert store.journal.output(one.id, "", "task-1", ()) is None


def test_a_metric_may_be_no_number(store):
    one = execution()
    values = [float("nan"), float("inf"), 2**70, 1]
    store.journal.commit(created(one, metrics=[metric("m", v, execution_id=one.id) for v in values]))
    found = [entry.value for entry in store.reads.metrics("main", []).results]
    assert found[0] != found[0]
    assert found[2:] == [float(2**70), 1.0]
