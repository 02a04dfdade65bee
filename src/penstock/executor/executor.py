"""The loop: take commands, step, commit the batch, release what it allows. One thread, the only writer of executions."""

from __future__ import annotations

import logging
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from datetime import datetime
from typing import BinaryIO

import msgspec

from penstock.clock import Clock
from penstock.engine import commands as c
from penstock.engine.draft import Decision, Launch
from penstock.engine.moment import Moment, Surroundings
from penstock.engine.state import ExecutionState
from penstock.engine.step import recover, step
from penstock.errors import CallerError, NotFound, PenstockError, Retryable
from penstock.executor.archive import StoredArchive
from penstock.executor.batching import Gathering, Listens
from penstock.executor.families import (
    ChildLauncher,
    Replays,
    child_news,
    created_line,
    extracted_outputs,
    line,
    parent_of,
    refused,
    with_extracted,
)
from penstock.executor.feed import LocalFeed
from penstock.executor.outputs import OutputKeeper
from penstock.executor.residents import PlanOf, Residents
from penstock.executor.slots import Slots, flow_key
from penstock.executor.timers import Timers
from penstock.model.entries import LogEntry, MetricEntry
from penstock.model.execution import Execution, Label, TaskRun
from penstock.model.job import ChildRun, Result, Started
from penstock.model.state import TERMINATED, State
from penstock.model.task import LogLevel
from penstock.ports.blobs import Blobs
from penstock.ports.jobs import Dispatch
from penstock.ports.journal import Journal

_log = logging.getLogger(__name__)

Reply = Future[Execution | None]
_Item = tuple[c.AnyCommand, "Reply | None"]


class Entries(msgspec.Struct, frozen=True):
    """Log lines and metrics to be stored with the next batch."""

    logs: Sequence[LogEntry]
    metrics: Sequence[MetricEntry]


class Parts(msgspec.Struct, frozen=True):
    """What an executor is made of.

    created_since: how many executions of (tenant, namespace, flow) were created since a moment, for quotas.
    open_file: opens a file that a flow names (`kestra://`, `nsfile://`, `file://`) for (tenant, namespace).
    most_steps: commands one commit may hold. listens: whether a Flow trigger may react to a flow's executions.
    on_transition: told after a commit that outbox rows are there.
    """

    journal: Journal
    blobs: Blobs
    dispatch: Dispatch
    feed: LocalFeed
    plan_of: PlanOf
    launch_child: ChildLauncher
    clock: Clock
    new_id: Callable[[], str]
    random: Callable[[], float]
    around: Surroundings
    keeper: OutputKeeper
    created_since: Callable[[str, str, str, datetime], int] = lambda tenant, namespace, flow, since: 0
    open_file: Callable[[str, str, str], BinaryIO] | None = None
    listens: Listens = lambda tenant, namespace, flow: False
    on_transition: Callable[[], None] = lambda: None
    most_steps: int = 512


class Executor:
    """`ports.commands.Commands` and `ports.jobs.Reports` of one process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._residents = Residents(parts.journal, parts.plan_of)
        self.archive = StoredArchive(parts.journal, parts.blobs, parts.keeper, self._residents, parts.open_file)
        self._slots = Slots(parts.journal)
        self._timers = Timers()
        self._replays = Replays(parts.journal, plan_of=parts.plan_of, new_id=parts.new_id)
        self._inbox: deque[_Item | Entries] = deque()
        self._arrived = threading.Condition()
        self._waiting = False
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._follow: deque[_Item] = deque()
        self._alone: deque[_Item | Entries] = deque()

    # -- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up every unfinished execution, then run until `stop`."""
        self._timers.add(self._parts.journal.timers())
        self._recover()
        self._thread = threading.Thread(target=self._loop, name="executor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is in the inbox, then end."""
        with self._arrived:
            self._stopping = True
            self._arrived.notify()
        if self._thread is not None:
            self._thread.join(timeout=30)

    # -- the ends of the ports: any thread ------------------------------------------------------------------------

    def submit(self, command: c.AnyCommand) -> Reply:
        """Hand over a command; the future is done after its commit."""
        reply: Reply = Future()
        self._put((command, reply))
        return reply

    def tell(self, command: c.AnyCommand) -> None:
        """Hand over a command nobody waits for."""
        self._put((command, None))

    def started(self, started: Started) -> None:
        """A worker has begun an attempt."""
        self._put((started, None))

    def ended(self, result: Result) -> None:
        """A worker has ended an attempt."""
        self._put((result, None))

    def child(self, execution_id: str, child: ChildRun) -> None:
        """A worker made or moved a task run of its own."""
        self._put((c.ReportChild(execution_id=execution_id, child=child), None))

    def lines(self, logs: Sequence[LogEntry], metrics: Sequence[MetricEntry]) -> None:
        """Log lines and metrics of attempts that still run."""
        self._put(Entries(logs, metrics))

    def _put(self, item: _Item | Entries) -> None:
        self._inbox.append(item)
        if self._waiting:
            with self._arrived:
                self._arrived.notify()

    # -- the loop --------------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        while True:
            items = self._take()
            if not items and self._stopping:
                return
            self._work(items)
            del items  # results hold outputs, and the next command may be long in coming

    def _take(self) -> list[_Item | Entries]:
        """What has arrived, and the timers that are due; waits until there is something."""
        if self._alone:
            return [self._alone.popleft()]
        inbox = self._inbox
        now = self._parts.clock.now()
        items: list[_Item | Entries] = [(wake, None) for wake in self._timers.due(now)]
        while self._follow and len(items) < self._parts.most_steps:
            items.append(self._follow.popleft())
        while inbox and len(items) < self._parts.most_steps:
            items.append(inbox.popleft())
        if items or self._stopping:
            return items
        with self._arrived:
            self._waiting = True
            if not inbox and not self._stopping:
                self._arrived.wait(self._patience(now))
            self._waiting = False
        return items

    def _patience(self, now: datetime) -> float:
        """Seconds until the next timer; a second at the most, should the clock jump."""
        due = self._timers.next_due()
        return 1.0 if due is None else min(max((due - now).total_seconds(), 0.0), 1.0)

    def _work(self, items: Sequence[_Item | Entries]) -> bool:
        """Step through `items` and commit; whether the batch is stored. When it is not, it is as if nothing happened."""
        pending = list(self._follow)  # follows from batches that are stored already
        gathering = Gathering(self._parts.keeper, self._parts.listens)
        answered: list[tuple[Reply, str]] = []
        for item in items:
            if isinstance(item, Entries):
                gathering.entries(item.logs, item.metrics)
            else:
                self._obey(item, gathering, answered)
        budget = self._parts.most_steps
        while self._follow and budget:
            budget -= 1
            self._obey(self._follow.popleft(), gathering, answered)
        if self._commit(gathering, items):
            self._release(gathering, answered)
            return True
        self._follow.clear()
        self._follow.extend(pending)
        return False

    def _obey(self, item: _Item, gathering: Gathering, answered: list[tuple[Reply, str]]) -> None:
        command, reply = item
        if isinstance(command, Result):
            command = self._within_limit(command, gathering)
            gathering.entries(command.logs, command.metrics)
        try:
            self._do(command, gathering)
        except CallerError as error:
            _refuse(reply, error)
        except Exception as error:
            self._set_aside(command, error, gathering)
            _refuse(reply, error)
        else:
            if reply is not None:
                answered.append((reply, command.execution_id))

    def _within_limit(self, result: Result, gathering: Gathering) -> Result:
        """The result, or a failure in its stead when its outputs are larger than an administrator allows."""
        problem = self._parts.keeper.too_large(result.outputs)
        state = self._residents.peek(result.execution_id)
        run = state.runs.get(result.task_run_id) if state is not None else None
        if problem is None or state is None or run is None:
            return result
        gathering.batch.logs.append(line(state, run, LogLevel.ERROR, problem, result.ended_at))
        return msgspec.structs.replace(result, state=State.FAILED, outputs=None, error=problem)

    def _do(self, command: c.AnyCommand, gathering: Gathering) -> None:
        special = _SPECIAL.get(type(command))
        if special is not None:
            special(self, command, gathering)
            return
        try:
            state = self._residents.get(command.execution_id)
        except NotFound:
            if isinstance(command, Result | Started | c.WakeUp | c.ReportChild):
                return  # of an execution that was deleted meanwhile
            raise
        self._step(state, command, gathering)

    def _step(self, state: ExecutionState, command: c.AnyCommand, gathering: Gathering) -> Decision:
        decision = step(state, command, self._moment(state))
        self._absorb(state, decision, gathering)
        return decision

    def _moment(self, state: ExecutionState) -> Moment:
        parts = self._parts
        execution = state.execution
        return Moment(
            now=parts.clock.now(),
            new_id=parts.new_id,
            random=parts.random,
            archive=self.archive,
            around=parts.around,
            slots_used=lambda: self._slots.used(flow_key(execution)),
            created_since=lambda since: parts.created_since(*flow_key(execution), since),
        )

    def _absorb(self, state: ExecutionState, decision: Decision, gathering: Gathering) -> None:
        """Take in a decision: what is stored, and the commands that follow from it."""
        execution = state.execution
        if state.plan.flow.concurrency is not None:
            self._slots.note(execution, decision)
        gathering.take(state, decision)
        self._follow.extend((command, None) for command in decision.continues)
        for launch in decision.launches:
            self._launch(state, launch, gathering)
        for _ in decision.replays:
            again = c.ReplayExecution(execution_id=execution.id, new_id=self._parts.new_id())
            self._replay(again, gathering, retry=True)
        if decision.cascade:
            self._kill_children(execution.id)
        if decision.closed:
            self._tell_parent(state)
        if decision.slot_freed:
            self._follow.append((_Fill(execution_id=execution.id, key=flow_key(execution)), None))

    # -- executions and their families -----------------------------------------------------------------------------

    def _start(self, command: c.StartExecution, gathering: Gathering) -> None:
        """A new execution; started twice it is the same as once."""
        if self._residents.exists(command.execution_id):
            return
        # Copies: should the commit be refused, the command is obeyed again, and must be as it came.
        execution, context = _fresh(command.execution), msgspec.structs.replace(command.context)
        command = msgspec.structs.replace(command, execution=execution, context=context)
        plan = self._parts.plan_of(execution.tenant_id, execution.namespace, execution.flow_id, execution.flow_revision)
        state = ExecutionState(plan, execution, command.context)
        self._residents.add(state)
        self._step(state, command, gathering)

    def _launch(self, state: ExecutionState, launch: Launch, gathering: Gathering) -> None:
        run = state.runs[launch.task_run_id]
        now = self._parts.clock.now()
        if launch.restart is not None and self._restart_child(state, launch):
            return
        try:
            start, warnings = self._parts.launch_child(state, run, launch)
        except (PenstockError, ValueError) as error:
            self._follow.append((refused(state, launch, error), None))
            return
        gathering.batch.logs.append(created_line(state, run, start.execution, now))
        gathering.batch.logs.extend(line(state, run, LogLevel.WARN, text, now) for text in warnings)
        self._follow.append((start, None))
        self._follow.append((_child_lives(state, launch.task_run_id, start.execution, launch.index), None))

    def _restart_child(self, state: ExecutionState, launch: Launch) -> bool:
        """Restart the child of an earlier attempt in the stead of a new one, when there is one that failed."""
        try:
            child = self._residents.get(launch.restart or "")
        except NotFound:
            return False
        if child.execution.state is State.FAILED:
            self._follow.append((c.RestartExecution(execution_id=child.execution.id), None))
            return True
        if child.execution.closed:
            self._tell_parent(child)
        return True

    def _check_child(self, command: c.CheckChild, gathering: Gathering) -> None:
        """After a crash: the child a task run waits for may be over, or may never have been made."""
        state = self._residents.get(command.execution_id)
        run = state.runs.get(command.task_run_id)
        if run is None or run.state in TERMINATED:
            return
        if run.child_id is None:
            self._recount_items(state, run, gathering)
            return
        try:
            child = self._residents.get(run.child_id)
        except NotFound:
            draft_again = c.LaunchAgain(execution_id=command.execution_id, task_run_id=command.task_run_id)
            self._step(state, draft_again, gathering)
            return
        if child.execution.closed:
            self._tell_parent(child)
        else:
            self._follow.append((_child_lives(state, run.id, child.execution), None))

    def _recount_items(self, state: ExecutionState, run: TaskRun, gathering: Gathering) -> None:
        """After a crash: how the subflows of a ForEachItem stand, counted anew."""
        assert run.scope is not None
        tally: dict[State, int] = {}
        missing: int | None = None
        for index in range(run.scope.cursor):
            loaded = self._parts.journal.load(f"{run.id}{index}")
            if loaded is None and missing is None:
                missing = index
            ended = loaded is not None and loaded.execution.closed
            place = loaded.execution.state if loaded is not None and ended else State.CREATED
            tally[place] = tally.get(place, 0) + 1
        tally[State.CREATED] = tally.get(State.CREATED, 0) + run.scope.planned - run.scope.cursor
        recount = c.RecountItems(execution_id=state.execution.id, task_run_id=run.id, tally=tally, missing=missing)
        self._step(state, recount, gathering)

    def _tell_parent(self, state: ExecutionState) -> None:
        waiting = parent_of(state.context)
        if waiting is None:
            return
        try:
            parent = self._residents.get(waiting[0])
        except NotFound:
            return
        outputs = state.cache.get("execution_outputs")
        news = child_news(state, outputs if isinstance(outputs, dict) else None)
        wanted = extracted_outputs(parent, waiting[1])
        if wanted and news is not None:
            news = with_extracted(news, wanted, state, self._moment(state))
        if news is not None:
            self._follow.append((news, None))

    def _kill_children(self, execution_id: str) -> None:
        for child_id in self._parts.journal.children(execution_id):
            self._follow.append((c.KillExecution(execution_id=child_id, cascade=True), None))

    def _replay(self, command: c.ReplayExecution, gathering: Gathering, *, retry: bool = False) -> None:
        source = self._residents.get(command.execution_id)
        state, outputs, proceed = self._replays.make(source, command, self._parts.clock.now(), retry=retry)
        if not state.runs:
            start = c.StartExecution(execution_id=command.new_id, execution=state.execution, context=state.context)
            self._start(start, gathering)
        else:
            self._residents.add(state)
            gathering.states[state.execution.id] = state
            gathering.batch.outputs.extend(outputs)
            self._step(state, proceed, gathering)
        if not retry:
            replayed = c.AddSystemLabels(execution_id=command.execution_id, labels=[Label("system.replayed", "true")])
            self._step(source, replayed, gathering)

    def _delete(self, command: c.Delete, gathering: Gathering) -> None:
        if not self._residents.exists(command.execution_id):
            raise NotFound(f"Execution '{command.execution_id}' not found")
        state = self._residents.get(command.execution_id)
        gathering.kills.append((command.execution_id, None))
        gathering.batch.deleted_executions.append(command.execution_id)
        gathering.states.pop(command.execution_id, None)
        self._residents.drop(command.execution_id)
        if state.execution.slot:
            self._slots.forget()
            self._follow.append((_Fill(execution_id=command.execution_id, key=flow_key(state.execution)), None))

    def _fill(self, command: _Fill, gathering: Gathering) -> None:
        """Give a free slot to whoever has been QUEUED longest. What this batch queued is seen with the next one."""
        waiting = self._parts.journal.oldest_queued(*command.key)
        if waiting is None:
            return
        try:
            state = self._residents.get(waiting)
        except NotFound:
            return
        if state.execution.state is not State.QUEUED:
            return
        self._step(state, c.Unqueue(execution_id=waiting, freed=True), gathering)
        limit = state.plan.flow.concurrency
        if state.execution.state is not State.QUEUED and limit and self._slots.used(command.key) < limit.limit:
            self._inbox.append((command, None))

    # -- commit and release ----------------------------------------------------------------------------------------

    def _commit(self, gathering: Gathering, items: Sequence[_Item | Entries]) -> bool:
        if gathering.empty():
            return True
        try:
            self._parts.journal.commit(gathering.seal())
        except Retryable as error:
            self._undo(gathering)
            _log.warning("the store cannot be written, trying again", extra={"event": "commit", "error": str(error)})
            self._inbox.extendleft(reversed(items))
            threading.Event().wait(0.5)
            return False
        except Exception as error:
            self._undo(gathering)
            self._isolate(items, error)
            return False
        return True

    def _isolate(self, items: Sequence[_Item | Entries], error: Exception) -> None:
        """A batch that the store refuses for good: its commands again one by one; the one at fault is set aside."""
        if len(items) > 1:
            _log.warning("a batch was refused, trying its commands one by one", extra={"event": "commit"})
            self._alone.extend(items)
            return
        _log.error("a command could not be stored", exc_info=error, extra={"event": "commit"})
        for item in items:
            if isinstance(item, Entries):
                continue
            command, reply = item
            _refuse(reply, error)
            if not isinstance(command, c.Abort | c.StartExecution):
                self._alone.append((_abort_of(command, error), None))

    def _undo(self, gathering: Gathering) -> None:
        """Nothing of the batch is stored: forget the states that are ahead of the journal."""
        for execution_id in gathering.states:
            self._residents.drop(execution_id)
        self._slots.forget()
        gathering.states.clear()
        gathering.jobs.clear()

    def _release(self, gathering: Gathering, answered: list[tuple[Reply, str]]) -> None:
        """Only now does anything leave: kills, jobs, timers, answers, news."""
        parts = self._parts
        batch = gathering.batch
        for execution_id, run_id in gathering.kills:
            parts.dispatch.kill(execution_id, run_id)
        parts.dispatch.send(gathering.jobs)
        self._timers.remove(batch.removed_timers)
        self._timers.add(batch.timers)
        changes = gathering.changes()
        for reply, execution_id in answered:
            state = self._residents.peek(execution_id)
            with suppress(InvalidStateError):  # whoever asked has gone away
                reply.set_result(_copy(state.execution) if state is not None else None)
        for row in batch.outputs:
            if row.uri is not None and row.execution_id in gathering.states:
                # what lies in internal storage is not kept in memory too
                gathering.states[row.execution_id].recent.pop((row.owner, row.task_id, row.path), None)
        for state in gathering.states.values():
            state.forget()
        for execution_id in gathering.closed:
            state = self._residents.peek(execution_id)
            if state is not None and state.execution.closed:
                self._residents.drop(execution_id)
                parts.dispatch.forget(execution_id)
        for change in changes:
            parts.feed.publish(change)
        parts.feed.publish_logs(batch.logs)
        if batch.transitions:
            parts.on_transition()
        self._residents.trim()

    # -- trouble ---------------------------------------------------------------------------------------------------

    def _set_aside(self, command: c.AnyCommand, error: Exception, gathering: Gathering) -> None:
        """A step failed through our own fault: undo it, and end that one execution FAILED with the reason in its log."""
        _log.error("a step failed", exc_info=error, extra={"event": "bug", "execution": command.execution_id})
        self._residents.drop(command.execution_id)
        gathering.states.pop(command.execution_id, None)
        if isinstance(command, c.Abort | c.StartExecution):
            return
        reason = "".join(traceback.format_exception_only(error)).strip()
        abort = c.Abort(
            execution_id=command.execution_id, reason=f"Penstock cannot go on with this execution: {reason}"
        )
        self._follow.append((abort, None))

    def _recover(self) -> None:
        """Go on with every execution that was not finished when the process ended."""
        for execution_id in self._parts.journal.unfinished():
            gathering = Gathering(self._parts.keeper, self._parts.listens)
            try:
                state = self._residents.get(execution_id)
                self._absorb(state, recover(state, self._moment(state)), gathering)
            except Exception as error:
                self._set_aside(c.Continue(execution_id=execution_id), error, gathering)
            if self._commit(gathering, []):
                self._release(gathering, [])
            state = self._residents.peek(execution_id)
            if state is not None and state.execution.state is State.QUEUED:
                self._inbox.append((_Fill(execution_id=execution_id, key=flow_key(state.execution)), None))


class _Fill(c.Command, frozen=True, kw_only=True):
    """A slot of a flow's concurrency limit may be free."""

    key: tuple[str, str, str]


def _child_lives(parent: ExecutionState, run_id: str, child: Execution, index: int | None = None) -> c.ChildChanged:
    """The news that an execution which a task run started exists."""
    return c.ChildChanged(
        execution_id=parent.execution.id,
        task_run_id=run_id,
        child_id=child.id,
        state=State.CREATED,
        ended=False,
        index=index,
    )


def _abort_of(command: c.AnyCommand, error: Exception) -> c.Abort:
    """Ends the execution of a command that cannot be obeyed through our own fault, with the reason in its log."""
    reason = "".join(traceback.format_exception_only(error)).strip()
    return c.Abort(execution_id=command.execution_id, reason=f"Penstock cannot go on with this execution: {reason}")


def _refuse(reply: Reply | None, error: Exception) -> None:
    if reply is not None:
        with suppress(InvalidStateError):  # whoever asked has gone away
            reply.set_exception(error)


def _copy(execution: Execution) -> Execution:
    """A copy of a head that nobody changes any more."""
    return msgspec.structs.replace(execution, histories=list(execution.histories))


def _fresh(execution: Execution) -> Execution:
    """A copy of the head of an execution that is about to start, which steps may change."""
    scope = execution.scope
    scope = msgspec.structs.replace(scope, ready=list(scope.ready), tally=dict(scope.tally))
    return msgspec.structs.replace(execution, histories=list(execution.histories), scope=scope)


_SPECIAL: dict[type, Callable[..., None]] = {
    c.StartExecution: Executor._start,
    c.CheckChild: Executor._check_child,
    c.ReplayExecution: Executor._replay,
    c.Delete: Executor._delete,
    _Fill: Executor._fill,
}
