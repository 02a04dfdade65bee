"""Random schedules: an order of results, failures, duplicates, late results, timers, kills, pauses and crashes."""

from __future__ import annotations

import random
from datetime import timedelta

import msgspec
from engine_legality import check_counters

from penstock.engine import commands as c
from penstock.errors import CallerError
from penstock.model.execution import Attempt, Breakpoint, TaskRun
from penstock.model.job import ChildRun, JobKind, Result, Started
from penstock.model.state import TERMINATED, State, StateChange
from penstock.testing.harness import Harness

ID = "execution"
_STATES = [State.SUCCESS] * 7 + [State.FAILED] * 3 + [State.WARNING, State.KILLED]


class Schedule:
    """Drives one harness at random, then lets it come to its end."""

    def __init__(self, source, seed, *, crashes=True, operators=True, chunk=2):
        self.random = random.Random(seed)
        self.harness = Harness(source, seed=seed, chunk=self.random.choice([chunk, 250]))
        self.harness.archive.files["kestra:///splits"] = ["kestra:///1", "kestra:///2", "kestra:///3"]
        self.harness.slots_used = self.random.choice([0, 0, 1])
        self.old = []
        self.open = []
        self.killed = set()
        self.directories = {}
        self.crashes = crashes
        self.operators = operators

    def play(self, moves=60):
        """Start, then `moves` random moves."""
        self.do(self._start_command())
        for _ in range(moves):
            self.move()
        return self

    def _start_command(self):
        harness = self.harness
        if self.random.random() < 0.1:
            harness.initial.schedule_date = harness.clock.now() + timedelta(seconds=5)
        if self.random.random() < 0.1:
            harness.initial.breakpoints = [Breakpoint(f"t{self.random.randrange(8)}")]
        return c.StartExecution(execution_id=ID, execution=harness.initial, context=harness.context)

    def do(self, command):
        """One command; a refused one must not have changed anything."""
        before = len(self.harness.events)
        try:
            self.after(self.harness.step(command))
        except CallerError:
            assert len(self.harness.events) == before
        check_counters(self.harness)

    def after(self, decision):
        """What workers and child executions hear of a decision."""
        for killed in decision.kills:
            if killed is None:
                self.killed.update(job.task_run_id for job in self.harness.jobs)
            else:  # the queue forgets the jobs of that task run
                self.harness.jobs = type(self.harness.jobs)(j for j in self.harness.jobs if j.task_run_id != killed)
        self.open.extend(decision.launches)
        if decision.closed and self.harness.state.execution.state is not State.RETRIED:
            self.harness.slots_used = 0

    def move(self):
        moves = [self.answer] * 12 + [
            self.begin,
            self.follow,
            self.follow,
            self.child,
            self.tick,
            self.repeat,
            self.late,
        ]
        if self.operators:
            moves += [self.operate]
        if self.crashes:
            moves += [self.crash] if self.random.random() < 0.3 else []
        self.random.choice(moves)()

    def answer(self, ok=False):
        """A worker ends one of its jobs."""
        jobs = self.harness.jobs
        if not jobs:
            return self.follow()
        job = jobs[self.random.randrange(len(jobs))]
        jobs.remove(job)
        state = State.SUCCESS if ok else self.random.choice(_STATES)
        if job.task_run_id in self.killed and not job.force:
            state = State.KILLED
        if job.kind is JobKind.WORKING_DIRECTORY:
            self.directory(job, state)
        result = self.result(job, state)
        self.old.append(result)
        return self.do(result)

    def result(self, job, state):
        now = self.harness.clock.now()
        values, outputs = None, None
        if job.kind is JobKind.EVALUATE:
            state = state if state is State.KILLED else State.SUCCESS if self.random.random() < 0.8 else State.FAILED
            values = {name: self.value(name, template) for name, template in (job.templates or {}).items()}
        elif job.kind is JobKind.SPLIT:
            outputs = {"splits": "kestra:///splits"}
        elif self.random.random() < 0.5:
            outputs = {"value": "x"}
        self.harness.clock.advance(timedelta(milliseconds=1))
        return Result(
            execution_id=ID, task_run_id=job.task_run_id, stamp=job.stamp, worker_id="w", state=state, started_at=now,
            ended_at=now, outputs=outputs, values=values if state is State.SUCCESS else None, error="it failed",
        )  # fmt: skip

    def value(self, name, template):
        """What a worker renders: `kv()` gives what fits the place."""
        if isinstance(template, dict):
            return {k: self.value(k, v) for k, v in template.items()}
        if isinstance(template, str) and "kv(" in template:
            return ["a", "b"] if name == "values" else self.random.choice(["true", "false"])
        return template

    def directory(self, job, state):
        """The children of a WorkingDirectory, told one by one."""
        for n, task in enumerate(job.children):
            run_id = f"{job.task_run_id}-{job.stamp}-{n}"
            self.child_report(job, run_id, task.id, [State.CREATED, State.RUNNING])
            if self.random.random() < 0.1:
                return
            last = state if n == len(job.children) - 1 else State.SUCCESS
            self.child_report(job, run_id, task.id, [State.CREATED, State.RUNNING, last])
            if self.random.random() < 0.3:
                self.child_report(job, run_id, task.id, [State.CREATED, State.RUNNING, last])

    def child_report(self, job, run_id, task_id, states):
        now = self.harness.clock.now()
        histories = [StateChange(s, now) for s in states]
        run = TaskRun(
            id=run_id, task_id=task_id, parent_id=job.task_run_id, state=states[-1], histories=histories,
            attempts=[Attempt(state=states[-1], histories=list(histories))], path=job.path, value=job.value,
        )  # fmt: skip
        self.do(c.ReportChild(execution_id=ID, child=ChildRun(run=run)))

    def begin(self):
        """A worker begins an attempt."""
        if self.harness.jobs:
            job = self.random.choice(list(self.harness.jobs))
            now = self.harness.clock.now()
            self.do(Started(execution_id=ID, task_run_id=job.task_run_id, stamp=job.stamp, worker_id="w", at=now))

    def follow(self):
        """A command the execution sent to itself."""
        waiting = self.harness._waiting
        if waiting:
            self.harness._follow(waiting.popleft())
            self.after(self.harness.decisions[-1]) if self.harness.decisions else None
            check_counters(self.harness)

    def child(self, state=None):
        """An execution that was started here has ended (or only begun)."""
        if not self.open:
            return
        launch = self.random.choice(self.open)
        run = self.harness.state.runs.get(launch.task_run_id)
        if state is None and self.random.random() < 0.3:
            command = c.ChildChanged(
                execution_id=ID, task_run_id=launch.task_run_id, child_id=launch.child_id, state=State.CREATED, ended=False,
                index=launch.index,
            )  # fmt: skip
            return self.do(command)
        self.open.remove(launch)
        if state is None and self.random.random() < 0.1:
            refused = c.ChildRefused(execution_id=ID, task_run_id=launch.task_run_id, stamp=0, reason="no such flow")
            self.harness.children[launch.child_id] = State.FAILED
            return self.do(refused)
        state = state or self.random.choice([*_STATES, State.CANCELLED])
        self.after(self.harness.end_child(launch, state))
        check_counters(self.harness)
        return run

    def tick(self):
        if self.harness.timers:
            self.harness.tick()
            self.after(self.harness.decisions[-1])
            check_counters(self.harness)

    def repeat(self):
        """A result that was given already is given again."""
        if self.old:
            self.do(self.random.choice(self.old))

    def late(self):
        """A result of an attempt that is not the present one."""
        if self.old:
            result = self.random.choice(self.old)
            self.do(msgspec.structs.replace(result, stamp=result.stamp - 1, state=State.FAILED))

    def operate(self):
        """What a person may do."""
        kind = self.random.randrange(16)
        runs = self.harness.task_runs()
        execution = self.harness.state.execution
        match kind:
            case 0:
                self.do(c.KillExecution(execution_id=ID, cascade=self.random.random() < 0.8))
            case 1 | 2:
                self.do(c.PauseExecution(execution_id=ID))
            case 3 | 4 | 5:
                self.do(c.ResumeExecution(execution_id=ID))
            case 6:
                self.do(c.ResumeFromBreakpoint(execution_id=ID))
            case 7 | 8:
                self.do(c.RestartExecution(execution_id=ID))
            case 9 if runs:
                states = [State.SUCCESS, State.FAILED, State.WARNING, State.CANCELLED]
                chosen = self.random.choice(runs).id
                self.do(c.ChangeTaskRunState(execution_id=ID, task_run_id=chosen, state=self.random.choice(states)))
            case 10 if execution.closed:
                self.do(c.ChangeStatus(execution_id=ID, state=State.WARNING))
            case 11:
                self.do(c.ForceRun(execution_id=ID))
            case 12:
                self.do(c.Unqueue(execution_id=ID, state=self.random.choice([State.RUNNING, State.FAILED])))
            case 13 | 14:
                self.do(c.ReviewApproval(execution_id=ID, decision=self.random.choice(["APPROVED", "DENIED"])))
            case _:
                self.do(c.Unqueue(execution_id=ID, freed=True))

    def crash(self):
        """The process dies; another goes on from what is stored."""
        self.after(self.harness.crash())
        self.killed.clear()
        check_counters(self.harness)

    def drain(self, limit=3000):
        """No more surprises: everything is answered well until the execution is closed."""
        harness = self.harness
        for _ in range(limit):
            if harness.state.execution.closed and not harness.jobs and not harness._waiting:
                return self
            if harness._waiting:
                self.follow()
            elif harness.jobs:
                self.answer(ok=True)
            elif self.open:
                self.child(State.KILLED if harness.state.execution.state is State.KILLING else State.SUCCESS)
            elif not self._release():
                if not harness.timers:
                    break
                self.tick()
        return self

    def _release(self):
        """Let go of what a person holds; whether something moved."""
        harness, before = self.harness, len(self.harness.events)
        execution = harness.state.execution
        harness.slots_used = 0
        if execution.state is State.QUEUED:
            self.do(c.Unqueue(execution_id=ID, freed=True))
        elif execution.state is State.BREAKPOINT:
            self.do(c.ResumeFromBreakpoint(execution_id=ID))
        elif (execution.state is State.PAUSED and not harness.timers) or (
            execution.state in TERMINATED and execution.held and not harness.timers
        ):
            self.do(c.ResumeExecution(execution_id=ID))
        return len(harness.events) > before
