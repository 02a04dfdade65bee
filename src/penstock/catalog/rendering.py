"""Templates of the catalog: defaults of inputs, conditions of checks, expressions that people try out.

The room's only way into `expr`. A `Renderer` is made once; `context` gives what one rendering needs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from penstock.clock import Clock, SystemClock, monotonic
from penstock.expr import HostFunctions, RenderContext, render_value
from penstock.ids import new_id
from penstock.model.authored import holds_template
from penstock.ports.platform import Caller

HostOf = Callable[[Caller], HostFunctions]


@dataclass(frozen=True, slots=True)
class Settings:
    """What every rendering of the installation sees (expressions.md 10): `envs`, `globals`, `kestra`, the time zone."""

    envs: Mapping[str, str] = field(default_factory=dict)
    globals: Mapping[str, object] = field(default_factory=dict)
    kestra: Mapping[str, object] = field(default_factory=dict)
    timezone: str = "UTC"
    recursive: bool = False


class Renderer:
    """Renders templates outside of tasks, with the outside functions of whoever asks."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
        host_of: HostOf | None = None,
    ) -> None:
        """`host_of` gives the outside functions (`kv`, `secret`, `read` …) of a caller; without it there are none."""
        self.settings = settings or Settings()
        self.host_of = host_of
        self._clock = clock or SystemClock()
        self._chance = chance

    def context(self, variables: Mapping[str, object], caller: Caller | None = None) -> RenderContext:
        """What templates are rendered in: `variables` with `envs`, `globals` and `kestra` added."""
        settings = self.settings
        return RenderContext(
            {"envs": settings.envs, "globals": settings.globals, "kestra": settings.kestra, **variables},
            host=self.host_of(caller) if self.host_of is not None and caller is not None else None,
            now=self._clock.now,
            timezone=settings.timezone,
            random=self._chance,
            new_id=new_id,
            monotonic=monotonic,
            recursive=settings.recursive,
        )

    def value(self, template: object, variables: Mapping[str, object], *, caller: Caller) -> object:
        """`template` with every text in it rendered, keeping the type of a text that is one expression.

        Raises:
            ExpressionError: a template is wrong or names something that is not there.
        """
        if not holds_template(template):
            return template
        return render_value(template, self.context(variables, caller), typed=True)


def flow_variables(caller: Caller, revision: int) -> dict[str, object]:
    """`flow` as templates see it."""
    return {"id": caller.flow_id, "namespace": caller.namespace, "revision": revision, "tenantId": caller.tenant}
