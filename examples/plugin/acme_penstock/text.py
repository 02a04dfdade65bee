"""Tasks on texts."""

from __future__ import annotations

from penstock.plugin import Dynamic, Output, RunContext, RunnableTask, TaskFailed


class Shouted(Output):
    """The text, and how loud it is."""

    text: str
    loudness: int


class Shout(RunnableTask):
    """Gives a text back in capitals, with `times` exclamation marks."""

    TYPE = "io.acme.text.Shout"
    QUICK = True

    text: str
    times: Dynamic[int] = 1

    def run(self, ctx: RunContext) -> Shouted:
        text, times = ctx.render(self.text), ctx.render(self.times, int)
        if not text:
            raise TaskFailed("There is nothing to shout: `text` is empty")
        ctx.logger.info(f"shouting {len(text)} characters")
        ctx.metrics.counter("characters", len(text))
        return Shouted(text=text.upper() + "!" * times, loudness=times)
