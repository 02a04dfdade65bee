"""The engine without a server: `step` one command, `run` until nothing moves, `tick` to let time pass.

A scripted worker answers jobs: by default every task succeeds, `Return` gives its rendered format, `Fail` fails. All
events are kept, so a test can replay them and compare.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from penstock.clock import ManualClock
from penstock.definition import parse_flow
from penstock.engine import commands as c
from penstock.engine import events as e
from penstock.engine.draft import Decision, Launch, Replay
from penstock.engine.moment import Moment, Surroundings
from penstock.engine.plan import Kind, Plan
from penstock.engine.state import ExecutionState, LoopValueList, place_of
from penstock.engine.step import recover, step
from penstock.expr import ExpressionError, RenderContext, render_value
from penstock.model.execution import Execution, ExecutionContext, Label, Metadata, Scope, TaskRun
from penstock.model.job import Job, JobKind, Result
from penstock.model.state import TERMINATED, State, StateChange
from penstock.plugin.registry import installed

_ENCODER = msgspec.json.Encoder(enc_hook=str)

Answer = tuple[State, Mapping[str, object] | None]
Script = Callable[[Job], Answer]


class MemoryArchive:
    """What is stored of one execution, kept in plain maps."""

    def __init__(self) -> None:
        self.records: dict[str, TaskRun] = {}
        self.outputs: dict[tuple[str, str, tuple[str, ...]], Mapping[str, object]] = {}
        self.planned: dict[str, tuple[list[str], list[str] | None]] = {}
        self.files: dict[str, list[str]] = {}

    def output(self, execution_id: str, owner: str, task_id: str, path: tuple[str, ...]) -> Mapping[str, object] | None:
        return self.outputs.get((owner, task_id, path))

    def output_keys(self, execution_id: str, owner: str, task_id: str, prefix: tuple[str, ...]) -> Sequence[str]:
        depth = len(prefix)
        found = [
            p[depth]
            for o, t, p in self.outputs
            if o == owner and t == task_id and p[:depth] == prefix and len(p) > depth
        ]
        return list(dict.fromkeys(found))

    def output_tasks(self, execution_id: str, owner: str) -> Sequence[str]:
        return list(dict.fromkeys(t for o, t, _ in self.outputs if o == owner))

    def runs(self, execution_id: str) -> list[TaskRun]:
        return sorted(self.records.values(), key=lambda r: r.sequence)

    def run(self, execution_id: str, run_id: str) -> TaskRun | None:
        return self.records.get(run_id)

    def iteration_outputs(self, execution_id: str, loop_run_id: str) -> list[tuple[int, Mapping[str, object]]]:
        return [(int(p[0]), v) for (_, t, p), v in self.outputs.items() if t.endswith(f"#{loop_run_id}")]

    def loop_values(self, execution_id: str, run_id: str) -> tuple[list[str], list[str] | None]:
        return self.planned[run_id]

    def descendants(self, execution_id: str, run_id: str) -> list[str]:
        found = {run_id}
        for record in self.runs(execution_id):
            if record.parent_id in found:
                found.add(record.id)
        return [r.id for r in reversed(self.runs(execution_id)) if r.id in found and r.id != run_id]

    def read_lines(self, execution_id: str, uri: str) -> list[str]:
        return self.files[uri]

    def read_records(self, execution_id: str, uri: str) -> list[str]:
        return self.files[uri]

    def note(self, state: ExecutionState, event: e.Event) -> None:
        """Keep what an event stores."""
        match event:
            case e.TaskRunCreated():
                self.records[event.run.id] = event.run
            case e.TaskRunRevived():
                self.records[event.run.id] = event.run
            case e.TaskRunRemoved():
                gone = self.records.pop(event.run_id, None)
                if gone is not None:
                    self.outputs.pop(place_of(gone), None)
            case e.OutputsSet():
                run = self.records.get(event.run_id)
                if run is not None:
                    self.outputs[place_of(run)] = event.outputs
            case e.ValuesPlanned():
                self.planned[event.run_id] = (event.values, event.keys)
            case _:
                pass


class Harness:
    """One execution of one flow, driven by hand.

    jobs: sent and not answered, oldest first. launches: subflows asked for. timers: pending, by key.
    """

    def __init__(
        self,
        source: str,
        *,
        inputs: Mapping[str, object] | None = None,
        seed: int = 0,
        chunk: int = 250,
        record: bool = True,
    ) -> None:
        self.plan = Plan(parse_flow(source, types=installed()).flow, 1)
        self.clock = ManualClock()
        self.archive = MemoryArchive()
        self.events: list[e.Event] = []
        self.jobs: deque[Job] = deque()
        self.launches: list[Launch] = []
        self.timers: dict[str, tuple[datetime, int]] = {}
        self.decisions: list[Decision] = []
        self.logs: list[str] = []
        self.children: dict[str, State | None] = {}
        self.replays: list[Replay] = []
        self.recorded: list[bytes] = []
        self.slots_used = 0
        self.created_since = 0
        self._record = record
        self._stored = _Stored()
        self._waiting: deque[c.AnyCommand] = deque()
        self._random = random.Random(seed)
        self._count = 0
        self._around = Surroundings(chunk=chunk)
        self.initial = self._execution()
        self.context = ExecutionContext(
            inputs=dict(inputs or {}),
            variables=dict(self.plan.flow.variables or {}),
            labels=[Label(x.key, x.value) for x in self.plan.flow.labels],
        )
        self.state = ExecutionState(self.plan, self.initial, self.context)

    def _execution(self) -> Execution:
        now = self.clock.now()
        flow = self.plan.flow
        return Execution(
            id="execution",
            tenant_id="main",
            namespace=flow.namespace,
            flow_id=flow.id,
            flow_revision=1,
            state=State.CREATED,
            histories=[StateChange(State.CREATED, now)],
            scope=Scope(),
            original_id="execution",
            metadata=Metadata(1, now),
        )

    def _new_id(self) -> str:
        self._count += 1
        return f"r{self._count}"

    def _witness(self, event: e.Event) -> None:
        self.recorded.append(_ENCODER.encode([type(event).__name__, event]))

    def moment(self) -> Moment:
        """The present, as a step sees it."""
        return Moment(
            now=self.clock.now(),
            new_id=self._new_id,
            random=self._random.random,
            archive=self.archive,
            around=self._around,
            slots_used=lambda: self.slots_used,
            created_since=lambda since: self.created_since,
            witness=self._witness if self._record else None,
        )

    def start(self) -> Decision:
        """Begin the execution."""
        return self.step(c.StartExecution(execution_id="execution", execution=self.initial, context=self.context))

    def step(self, command: c.AnyCommand) -> Decision:
        """Hand over one command."""
        return self._take(step(self.state, command, self.moment()))

    def _take(self, decision: Decision) -> Decision:
        for event in decision.events:
            self.archive.note(self.state, event)
            if isinstance(event, e.TimerSet):
                self.timers[event.key] = (event.due, event.stamp)
            elif isinstance(event, e.TimerCleared):
                self.timers.pop(event.key, None)
        self.events.extend(decision.events)
        self.jobs.extend(decision.jobs)
        for launch in decision.launches:
            self.launches.append(launch)
            self.children.setdefault(launch.child_id, None)
        self.replays.extend(decision.replays)
        self.logs.extend(f"{entry.level} {entry.message}" for entry in decision.logs)
        self._waiting.extend(decision.continues)
        self.decisions.append(decision)
        if self._record:
            self._stored.take(self.state)
        self.state.forget()
        return decision

    def crash(self) -> Decision:
        """Lose everything but what is stored, then recover: jobs, live state and commands on their way are gone."""
        self.jobs.clear()
        self._waiting.clear()
        head, context, runs = self._stored.read()
        live = [run for run in runs if run.state not in TERMINATED]
        self.archive.records = {run.id: run for run in runs}
        self.state = ExecutionState(self.plan, head, context)
        self.state.adopt(live)
        for run in live:
            self._reload(run)
        return self._take(recover(self.state, self.moment()))

    def _reload(self, run: TaskRun) -> None:
        if run.scope is None:
            return
        if run.id in self.archive.planned:
            self.state.values[run.id] = LoopValueList(*self.archive.planned[run.id])
        if self.state.node_of(run).kind is Kind.DAG:
            ended_ids = {r.task_id for r in self.task_runs() if r.parent_id == run.id and r.state in TERMINATED}
            self.state.dag_done[run.id] = ended_ids

    def _follow(self, command: c.AnyCommand) -> None:
        """What the executor does with a command of its own: look after the child of a task run."""
        if not isinstance(command, c.CheckChild):
            self.step(command)
            return
        run = self.state.runs.get(command.task_run_id)
        if run is None or run.child_id is None:
            return
        if run.child_id not in self.children:
            self.step(c.LaunchAgain(execution_id="execution", task_run_id=run.id))
        elif (ended_in := self.children[run.child_id]) is not None:
            self.step(self._news(run.id, run.child_id, ended_in))

    def run(self, script: Script | None = None, *, limit: int = 1_000_000) -> Harness:
        """Answer jobs until none is left (time stands still)."""
        if not self.events:
            self.start()
        for _ in range(limit):
            if self._waiting:
                self._follow(self._waiting.popleft())
            elif self.jobs:
                self.answer(self.jobs.popleft(), script)
            else:
                return self
        raise AssertionError(f"still busy after {limit} commands")

    def finish(self, script: Script | None = None) -> Harness:
        """Run, and let time pass to each timer, until the execution is closed or nothing is left to wait for."""
        self.run(script)
        while not self.state.execution.closed and self.timers:
            self.tick()
            self.run(script)
        return self

    def tick(self) -> None:
        """Let time pass to the earliest timer and fire it."""
        key, (due, stamp) = min(self.timers.items(), key=lambda item: item[1][0])
        del self.timers[key]
        self.clock.set(max(due, self.clock.now()))
        self.step(c.WakeUp(execution_id="execution", key=key, stamp=stamp))

    def answer(self, job: Job, script: Script | None = None) -> Decision:
        """The scripted worker's answer to a job."""
        return self.step(self.result_of(job, script))

    def result_of(self, job: Job, script: Script | None = None) -> Result:
        """What the scripted worker reports of a job."""
        now = self.clock.now()
        values: Mapping[str, object] | None = None
        error: str | None = None
        outputs: Mapping[str, object] | None = None
        state = State.SUCCESS
        try:
            if job.kind is JobKind.EVALUATE:
                values = {
                    k: render_value(v, self._render_context(job), typed=True) for k, v in (job.templates or {}).items()
                }
            else:
                state, outputs = (script or self.play)(job)
        except ExpressionError as fault:
            state, error = State.FAILED, str(fault)
        self.clock.advance(timedelta(milliseconds=1))
        return Result(
            execution_id=job.execution_id,
            task_run_id=job.task_run_id,
            stamp=job.stamp,
            worker_id="scripted",
            state=state,
            started_at=now,
            ended_at=self.clock.now(),
            outputs=outputs,
            values=values,
            error=error,
        )

    def play(self, job: Job) -> Answer:
        """Succeed; `Return` renders its format, `Fail` fails unless its condition is false."""
        name = job.task.type.rpartition(".")[2]
        if name == "Return":
            return State.SUCCESS, {"value": render_value(getattr(job.task, "format", None), self._render_context(job))}
        if name == "Fail":
            return State.FAILED, None
        return State.SUCCESS, None

    def _render_context(self, job: Job) -> RenderContext:
        return self.moment().render_context(job.variables)

    def end_child(self, launch: Launch, state: State, outputs: Mapping[str, object] | None = None) -> Decision:
        """The execution a Subflow started has ended."""
        self.children[launch.child_id] = state
        return self.step(self._news(launch.task_run_id, launch.child_id, state, outputs=outputs, index=launch.index))

    def _news(
        self,
        run_id: str,
        child_id: str,
        state: State,
        *,
        outputs: Mapping[str, object] | None = None,
        index: int | None = None,
    ) -> c.ChildChanged:
        return c.ChildChanged(
            execution_id="execution",
            task_run_id=run_id,
            child_id=child_id,
            state=state,
            ended=state in TERMINATED,
            outputs=outputs,
            index=index,
        )

    def task_runs(self, task_id: str | None = None) -> list[TaskRun]:
        """All task runs, or those of one task, in order of creation."""
        return [r for r in self.archive.runs("") if task_id is None or r.task_id == task_id]

    def trace(self) -> list[str]:
        """`task[value]: STATES` of every task run, in order of creation."""
        lines: list[str] = []
        for run in self.task_runs():
            name = run.task_id + (f"[{run.value}]" if run.value is not None else "")
            lines.append(f"{name}: {' '.join(str(h.state) for h in run.histories)}")
        return lines

    def history(self) -> list[str]:
        """The states of the execution."""
        return [str(h.state) for h in self.state.execution.histories]


def replay(harness: Harness) -> ExecutionState:
    """The state that the recorded events give when they are applied from the start."""
    from penstock.engine.apply import apply

    decoded: list[e.Event] = []
    for raw in harness.recorded:
        name, body = msgspec.json.decode(raw)
        decoded.append(msgspec.convert(body, getattr(e, name), strict=False))
    first = decoded[0]
    assert isinstance(first, e.ExecutionCreated)
    state = ExecutionState(harness.plan, first.execution, first.context)
    for event in decoded:
        apply(state, event)
    return state


def ended(run: TaskRun) -> bool:
    """Whether a task run has terminated."""
    return run.state in TERMINATED


class _Stored:
    """What a store would hold: only what a step says it has touched."""

    def __init__(self) -> None:
        self._head = self._context = b""
        self._runs: dict[str, bytes] = {}

    def take(self, state: ExecutionState) -> None:
        """Keep what has changed since the last step."""
        touched = state.touched
        if touched.created or touched.execution:
            self._head = _ENCODER.encode(state.execution)
        if touched.created or touched.context:
            self._context = _ENCODER.encode(state.context)
        for run_id in touched.removed_runs:
            self._runs.pop(run_id, None)
        for run in (*touched.created_runs.values(), *touched.runs.values()):
            self._runs[run.id] = _ENCODER.encode(run)

    def read(self) -> tuple[Execution, ExecutionContext, list[TaskRun]]:
        """The records again, task runs in order of creation."""
        head = msgspec.json.decode(self._head, type=Execution)
        runs = sorted((msgspec.json.decode(raw, type=TaskRun) for raw in self._runs.values()), key=lambda r: r.sequence)
        head.sequence = max([head.sequence, *(run.sequence for run in runs)])
        return head, msgspec.json.decode(self._context, type=ExecutionContext), runs
