"""Where the scheduler meets the worker, the catalog and the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime

from penstock.catalog.flows import FlowShelf
from penstock.clock import Clock
from penstock.errors import Bug
from penstock.ids import new_id
from penstock.plugin.trigger import PollingTrigger, RealtimeTrigger
from penstock.ports.trigger_states import FlowKey
from penstock.scheduler import (
    Emit,
    Ended,
    Firing,
    Polled,
    Received,
    Scheduler,
    TriggerWork,
    WebhookRequest,
    declared_flow,
    receive,
)
from penstock.worker.trigger_runner import TriggerPlace, TriggerRunner


class WorkerTriggers:
    """`scheduler.parts.TriggerEvaluator` on this process's worker."""

    def __init__(self, runner: TriggerRunner, worker_id: str) -> None:
        self._runner = runner
        self._worker_id = worker_id

    def evaluate(self, work: TriggerWork) -> Future[Polled]:
        """Look once."""
        trigger = work.trigger
        if not isinstance(trigger, PollingTrigger):
            raise Bug(f"trigger {work.key.uid} is not one that is polled")
        answer: Future[Polled] = Future()

        def done(found: Future[Mapping[str, object] | None]) -> None:
            problem = found.exception()
            if problem is not None:
                answer.set_exception(problem)
            else:
                answer.set_result(Polled(found.result(), self._worker_id))

        self._runner.evaluate(trigger, _place(work)).add_done_callback(done)
        return answer

    def stream(self, work: TriggerWork, emit: Emit, ended: Ended) -> Callable[[], None]:
        """Run a realtime trigger."""
        trigger = work.trigger
        if not isinstance(trigger, RealtimeTrigger):
            raise Bug(f"trigger {work.key.uid} is not a realtime one")
        return self._runner.stream(trigger, _place(work), emit=emit, ended=ended)


def _place(work: TriggerWork) -> TriggerPlace:
    key = work.key
    return TriggerPlace(
        tenant=key.tenant_id,
        namespace=key.namespace,
        flow_id=key.flow_id,
        revision=work.flow.revision,
        execution_id=work.execution_id,
        variables={"vars": work.flow.variables},
    )


class WebhookDoor:
    """Webhook requests to the scheduler's rules; what they leave in the trigger journal is written soon."""

    def __init__(self, shelf: FlowShelf, firing: Firing, scheduler: Scheduler, clock: Clock) -> None:
        self._shelf = shelf
        self._firing = firing
        self._scheduler = scheduler
        self._clock = clock

    def __call__(
        self,
        flow: FlowKey,
        key: str,
        *,
        body: bytes,
        headers: Mapping[str, Sequence[str]],
        parameters: Mapping[str, Sequence[str]],
    ) -> Received:
        """What the request comes to. Raises NotFound, Conflict, Unprocessable."""
        now: datetime = self._clock.now()
        shelved = self._shelf.current(*flow)
        declared = None if shelved is None or shelved.row.deleted else declared_flow(shelved)
        received = receive(
            declared,
            key,
            WebhookRequest(body, headers, parameters),
            firing=self._firing,
            execution_id=new_id(),
            now=now,
        )
        self._scheduler.note([received.note], received.logs)
        return received
