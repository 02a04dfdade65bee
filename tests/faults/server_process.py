"""A real `penstock server local` in a process of its own, and a client that keeps it busy."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time

CORE = "io.kestra.plugin.core."

FLOWS = {
    "child": """
        tasks:
          - {id: c1, type: TYPE.debug.Return, format: "one"}
          - {id: c2, type: TYPE.log.Log, message: two}
        outputs: [{id: out, type: STRING, value: "{{ outputs.c1.value }}"}]
    """,
    "sequential": "tasks:" + "".join(f"\n  - {{id: s{n}, type: TYPE.log.Log, message: hi}}" for n in range(8)),
    "parallel": """
        tasks:
          - id: par
            type: TYPE.flow.Parallel
            concurrent: 3
            tasks:
              - {id: p0, type: TYPE.log.Log, message: hi}
              - {id: p1, type: TYPE.flow.Sleep, duration: PT0.05S}
              - {id: p2, type: TYPE.log.Log, message: hi}
              - {id: p3, type: TYPE.flow.Sleep, duration: PT0.1S}
              - {id: p4, type: TYPE.debug.Return, format: "4"}
          - {id: last, type: TYPE.log.Log, message: hi}
    """,
    "loop": """
        tasks:
          - id: loop
            type: TYPE.flow.Loop
            values: [1, 2, 3, 4, 5, 6]
            concurrencyLimit: 2
            outputs: [{id: o, type: STRING, value: "{{ outputs.l1.value }}"}]
            tasks:
              - {id: l1, type: TYPE.debug.Return, format: "{{ item.value }}"}
              - {id: l2, type: TYPE.flow.Sleep, duration: PT0.02S}
          - {id: last, type: TYPE.debug.Return, format: "{{ outputs.loop.terminatedIterations.SUCCESS }}"}
    """,
    "retries": """
        tasks:
          - id: r
            type: TYPE.execution.Fail
            condition: "{{ taskrun.attemptsCount < 2 }}"
            retry: {type: constant, interval: PT0.1S, maxAttempts: 50}
          - id: each
            type: TYPE.flow.ForEach
            values: [a, b, c]
            concurrencyLimit: 0
            tasks: [{id: e1, type: TYPE.log.Log, message: hi}, {id: e2, type: TYPE.log.Log, message: hi}]
    """,
    "subflow": """
        tasks:
          - {id: sub, type: TYPE.flow.Subflow, namespace: company.team, flowId: child}
          - {id: last, type: TYPE.debug.Return, format: "{{ outputs.sub.outputs.out }}"}
    """,
    "waits": """
        tasks:
          - {id: p, type: TYPE.flow.Pause, pauseDuration: PT0.1S}
          - id: wd
            type: TYPE.flow.WorkingDirectory
            tasks: [{id: w1, type: TYPE.log.Log, message: hi}, {id: w2, type: TYPE.flow.Sleep, duration: PT0.05S}]
          - id: d
            type: TYPE.flow.Dag
            tasks:
              - {task: {id: d1, type: TYPE.log.Log, message: hi}}
              - {task: {id: d2, type: TYPE.log.Log, message: hi}, dependsOn: [d1]}
        afterExecution: [{id: after, type: TYPE.log.Log, message: hi}]
    """,
}

RUNS = {
    "child": {"c1": 1, "c2": 1},
    "sequential": {f"s{n}": 1 for n in range(8)},
    "parallel": {"par": 1, **{f"p{n}": 1 for n in range(5)}, "last": 1},
    "loop": {"loop": 7, "l1": 6, "l2": 6, "last": 1},
    "retries": {"r": 1, "each": 1, "e1": 3, "e2": 3},
    "subflow": {"sub": 1, "last": 1},
    "waits": {"p": 1, "wd": 1, "w1": 1, "w2": 1, "d": 1, "d1": 1, "d2": 1, "after": 1},
}
"""How many task runs (iterations included) each task of each flow has at the end."""


def free_port():
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """The process, started and ended as often as wanted on one home."""

    def __init__(self, home):
        self.home = home
        self.port = free_port()
        self.process = None
        self.log = open(home.parent / "server.log", "ab")  # noqa: SIM115

    def start(self, patience=90):
        """Start and wait until it is healthy."""
        command = [sys.executable, "-m", "penstock", "server", "local", "--port", str(self.port)]
        command += ["--home", str(self.home), "--no-auth"]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        until(self.healthy, patience, f"a healthy server, see {self.log.name}", alive=self.process)

    def healthy(self):
        try:
            return self.ask("GET", "/health")[0] == 200
        except OSError:
            return False

    def kill(self):
        """SIGKILL, at once."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self, patience=60):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience)

    def ask(self, method, path, body=None, kind="application/json"):
        """Status and decoded body of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, {"Content-Type": kind} if body else {})
            answer = connection.getresponse()
            raw = answer.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        return answer.status, json.loads(raw) if raw else None

    def add_flows(self):
        for name, text in FLOWS.items():
            lines = text.replace("TYPE.", CORE).split("\n")
            source = f"id: {name}\nnamespace: company.team\n" + _dedented(lines)
            status, answer = self.ask("POST", "/api/v1/main/flows", source, "application/x-yaml")
            assert status == 200, answer

    def execute(self, flow):
        """Start an execution; its id."""
        boundary = "penstock"
        body = f'--{boundary}\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--{boundary}--\r\n'
        path = f"/api/v1/main/executions/company.team/{flow}"
        status, answer = self.ask("POST", path, body, f"multipart/form-data; boundary={boundary}")
        assert status == 200, answer
        return answer["id"]

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.log.close()


def _dedented(lines):
    margins = [len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()]
    margin = min(margins, default=0) if not lines[0].strip() else 0
    return "\n".join([lines[0], *(line[margin:] for line in lines[1:])])


def until(happened, patience, what, *, alive=None):
    """Look every few milliseconds until `happened()`. Raises AssertionError when it takes too long."""
    end = time.monotonic() + patience
    pause = threading.Event()
    while not happened():
        assert alive is None or alive.poll() is None, f"the server ended with {alive.poll()} while waiting for {what}"
        assert time.monotonic() < end, f"waited {patience} s for {what}"
        pause.wait(0.02)


class Load(threading.Thread):
    """Starts executions of all flows in turn; `known` are those the server has answered for."""

    def __init__(self, server, *, most, seed=0):
        super().__init__(daemon=True)
        self.server = server
        self.most = most
        self.known = {}
        self.problems = []
        self.random = random.Random(seed)
        self._ended = threading.Event()
        self._open = threading.Event()
        self._open.set()

    def run(self):
        for flow in itertools.cycle([name for name in FLOWS if name != "child"]):
            if self._ended.is_set() or len(self.known) >= self.most:
                return
            self._open.wait(60)
            try:
                self.known[self.server.execute(flow)] = flow
            except OSError:
                self._ended.wait(0.05)  # the server is down just now
            except AssertionError as problem:
                self.problems.append(str(problem))
            self._ended.wait(self.random.uniform(0.0, 0.03))

    def end(self):
        self._ended.set()
        self.join(60)
