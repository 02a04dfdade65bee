"""Publish: emits metrics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from penstock.model.authored import Authored, Dynamic, Free
from penstock.model.duration import IsoDuration
from penstock.plugin import RunContext, RunnableTask


class PublishedMetric(Authored):
    """What all kinds of metric share."""

    name: str
    description: str | None = None
    tags: Mapping[str, Free] | str | None = None


class CounterMetric(PublishedMetric):
    """Adds to a sum."""

    type: Literal["counter"] = "counter"
    value: Dynamic[float]


class GaugeMetric(PublishedMetric):
    """A reading."""

    type: Literal["gauge"] = "gauge"
    value: Dynamic[float]


class TimerMetric(PublishedMetric):
    """A length of time."""

    type: Literal["timer"] = "timer"
    value: Dynamic[IsoDuration]


Metric = Annotated[CounterMetric | GaugeMetric | TimerMetric, Field(discriminator="type")]


class Publish(RunnableTask):
    """Emits counters, gauges and timers."""

    TYPE = "io.kestra.plugin.core.metric.Publish"

    metrics: list[Metric] | None = None

    def run(self, ctx: RunContext) -> None:
        for metric in self.metrics or []:
            name, tags = ctx.render(metric.name), ctx.render(metric.tags, dict[str, str]) or {}
            match metric:
                case CounterMetric():
                    ctx.metrics.counter(name, ctx.render(metric.value, float), **tags)
                case GaugeMetric():
                    ctx.metrics.gauge(name, ctx.render(metric.value, float), **tags)
                case TimerMetric():
                    ctx.metrics.timer(name, ctx.render(metric.value, timedelta), **tags)
