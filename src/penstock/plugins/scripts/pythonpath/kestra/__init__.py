"""What scripts import as `kestra`: outputs, metrics and log lines, printed as `::{…}::` lines.

It offers the names of the `kestra` package of PyPI that print, so that scripts written for it run without it.
"""

import json
import logging
import sys


class Kestra:
    """Sends outputs and metrics to the task that runs this script."""

    @staticmethod
    def _send(message):
        sys.stdout.write("::" + json.dumps(message, default=str) + "::\n")
        sys.stdout.flush()

    @staticmethod
    def outputs(map_):
        """Adds to the task's output `vars`."""
        Kestra._send({"outputs": map_})

    @staticmethod
    def _metric(name, kind, value, tags):
        Kestra._send({"metrics": [{"name": name, "type": kind, "value": value, "tags": tags or {}}]})

    @staticmethod
    def counter(name, value, tags=None):
        """Adds to a sum."""
        Kestra._metric(name, "counter", value, tags)

    @staticmethod
    def gauge(name, value, tags=None):
        """Gives a reading."""
        Kestra._metric(name, "gauge", value, tags)

    @staticmethod
    def timer(name, duration, tags=None):
        """Gives a length of time: seconds, or a function that is called and timed."""
        if callable(duration):
            import time

            start = time.monotonic()
            duration()
            duration = time.monotonic() - start
        Kestra._metric(name, "timer", duration, tags)

    @staticmethod
    def logger():
        """A logger whose lines keep their level."""
        found = logging.getLogger("Kestra")
        if not any(isinstance(handler, _Lines) for handler in found.handlers):
            found.addHandler(_Lines())
            found.setLevel(logging.DEBUG)
            found.propagate = False
        return found


class _Lines(logging.Handler):
    _LEVELS = {"WARNING": "WARN", "CRITICAL": "ERROR"}

    def emit(self, record):
        level = self._LEVELS.get(record.levelname, record.levelname)
        Kestra._send({"logs": [{"level": level, "message": self.format(record)}]})
