"""`kill -9` at random moments under load: no execution lost, none stuck, no result counted twice.

PENSTOCK_KILLS says how many kills (6 by default; 200 is the full run).
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter

import pytest
from server_process import RUNS, Load, Server, until

from penstock.model.state import TERMINATED, State
from penstock.settings import environment
from penstock.store.sqlite import SqliteStore

KILLS = int(environment().get("PENSTOCK_KILLS", "6"))
SEED = int(environment().get("PENSTOCK_KILL_SEED", "1"))


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path / "home")
    yield made
    made.close()


def settled(server):
    """Whether no execution is under way."""
    with_states = "&".join(
        f"filters[state][IN]={s}" for s in ("CREATED,RUNNING,PAUSED,RETRYING,RESTARTED,KILLING,QUEUED",)
    )
    try:
        status, answer = server.ask("GET", f"/api/v1/main/executions/search?size=1&{with_states}")
    except OSError:
        return False
    return status == 200 and answer["total"] == 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_kills_lose_nothing_and_count_nothing_twice(server):
    chance = random.Random(SEED)
    server.start()
    server.add_flows()
    load = Load(server, most=KILLS * 40, seed=SEED)
    load.start()
    pause = threading.Event()
    for _ in range(KILLS):
        pause.wait(chance.uniform(0.02, 0.9))
        server.kill()
        server.start()
    load.end()
    assert not load.problems
    until(lambda: settled(server), 300, "the end of all executions")
    assert server.stop() == 0
    figures = check(server, load)
    print(json.dumps(figures))


def check(server, load):
    """What is stored at the end; the figures of the run."""
    store = SqliteStore(server.home / "penstock.db")
    try:
        assert store.journal.unfinished() == []
        assert list(store.journal.timers()) == []
        missing = [i for i in load.known if store.journal.load(i) is None]
        assert not missing, f"{len(missing)} executions that were answered for are lost"
        return check_runs(store, _all(store))
    finally:
        store.close()


def _all(store):
    with store.journal._readers.connection() as connection:
        return [row[0] for row in connection.execute("SELECT id FROM executions")]


def check_runs(store, ids):
    figures = Counter(executions=len(ids))
    for execution_id in ids:
        execution = store.journal.load(execution_id).execution
        assert execution.closed
        assert execution.state is State.SUCCESS, _story(store, execution)
        assert sum(h.state in TERMINATED for h in execution.histories) == 1
        runs = store.journal.runs(execution_id)
        assert Counter(r.task_id for r in runs) == RUNS[execution.flow_id], f"{execution.flow_id} {execution_id}"
        for run in runs:
            check_run(run, figures)
    return dict(figures, kills=KILLS)


def _story(store, execution):
    """What happened to an execution that did not end well."""
    with store.journal._readers.connection() as connection:
        lines = [str(row) for row in connection.execute("SELECT * FROM logs") if execution.id in str(row)]
    runs = [
        f"{r.task_id}[{r.iteration}]: {[str(h.state) for h in r.histories]}" for r in store.journal.runs(execution.id)
    ]
    return f"{execution.flow_id} {execution.id} ended {execution.state}: {runs} {lines[-5:]}"


def check_run(run, figures):
    """One end, one result: every attempt but the last failed for a retry, or was lost with its process."""
    states = [h.state for h in run.histories]
    assert states[-1] is State.SUCCESS
    assert states.count(State.SUCCESS) == 1, f"{run.task_id}: {states}"
    assert run.awaiting is None
    figures["task_runs"] += 1
    if not run.attempts:
        return
    attempts = [a.state for a in run.attempts]
    assert attempts[-1] is State.SUCCESS
    assert set(attempts[:-1]) <= {State.FAILED, State.RESUBMITTED}, f"{run.task_id}: {attempts}"
    assert attempts.count(State.FAILED) == states.count(State.RETRYING)
    figures["resubmitted"] += attempts.count(State.RESUBMITTED)
    figures["retries"] += attempts.count(State.FAILED)
    if run.task_id == "r":
        assert attempts.count(State.FAILED) <= 2


@pytest.mark.slow
def test_sigterm_ends_cleanly_and_the_next_start_goes_on(server):
    server.start()
    server.add_flows()
    load = Load(server, most=40)
    load.start()
    until(lambda: len(load.known) >= 20, 60, "some executions")
    assert server.stop() == 0
    load.end()
    assert b"Traceback" not in (server.home.parent / "server.log").read_bytes()
    server.start()
    until(lambda: settled(server), 120, "the end of all executions")
    assert server.stop() == 0
    check(server, load)
