"""The scheduler: triggers become executions.

In come saved flows, dates that have come, transitions of executions (the outbox the executor's commits fill), answers
of polling triggers and events of realtime ones, and requests to webhooks. Out go `StartExecution` commands, each
recorded beforehand in one transaction with what justifies it, and a row of the trigger journal for each evaluation.
The room does not know how flows are kept, how executions run, or who asks over HTTP: it has ports for these.

`Scheduler` drives, `Triggers` is what people and tasks may do, `receive` answers webhooks; `catalogued` joins both to
the catalog. Everything below them is pure.
"""

from __future__ import annotations

from penstock.scheduler.catalogued import FlowLauncher, ShelfFlows, declared_flow, renderers
from penstock.scheduler.cron import Cron, parse_cron
from penstock.scheduler.declared import DeclaredFlow, DeclaredFlows, kind_of
from penstock.scheduler.due import Defaults
from penstock.scheduler.firing import Firing
from penstock.scheduler.launching import Launch, Launcher, RendererOf
from penstock.scheduler.parts import Emit, Ended, Polled, TriggerEvaluator, TriggerWork
from penstock.scheduler.schedule import Recovery, zone_of
from penstock.scheduler.scheduler import Scheduler
from penstock.scheduler.triggers import TestedDate, Triggers
from penstock.scheduler.webhook import Received, WebhookAnswer, WebhookRequest, find_webhook, receive

__all__ = [
    "Cron",
    "DeclaredFlow",
    "DeclaredFlows",
    "Defaults",
    "Emit",
    "Ended",
    "Firing",
    "FlowLauncher",
    "Launch",
    "Launcher",
    "Polled",
    "Received",
    "Recovery",
    "RendererOf",
    "Scheduler",
    "ShelfFlows",
    "TestedDate",
    "TriggerEvaluator",
    "TriggerWork",
    "Triggers",
    "WebhookAnswer",
    "WebhookRequest",
    "declared_flow",
    "find_webhook",
    "kind_of",
    "parse_cron",
    "receive",
    "renderers",
    "zone_of",
]
