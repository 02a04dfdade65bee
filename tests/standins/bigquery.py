"""A stand-in for BigQuery: its REST protocol (v2) over DuckDB, for tests with the real client library.

with BigQueryStandIn() as service:
    service.run("CREATE TABLE shop.orders AS SELECT 1 AS n")       # straight into DuckDB; project `local`
    client = bigquery.Client(..., client_options=ClientOptions(api_endpoint=service.url))

Spoken are jobs.insert, jobs.get, jobs.cancel, jobs.getQueryResults, tables.get and tabledata.list, and the token endpoint
of a service account. A project is a database of DuckDB, a dataset a schema. Tests steer it with `fail_next`,
`polls_until_done` and `require_token`, and look at `jobs`, `requests` and `pages`.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import duckdb

Json = dict[str, Any]
NEVER_ENDS = "/* never ends */"
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_STARTED = 1_700_000_000_000


class Refused(Exception):
    """An answer that is an error of the API."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message

    def body(self) -> Json:
        entry = {"reason": self.reason, "message": self.message}
        return {"error": {"code": self.status, "message": self.message, "errors": [entry]}}


@dataclass
class StoredJob:
    """A job as the service keeps it. table: where its rows lie, `project.dataset.table` quoted for DuckDB."""

    id: str
    project: str
    configuration: Json
    statement: str
    polls: int = 0
    table: str | None = None
    affected: int | None = None
    schema: list[Json] = field(default_factory=list)
    rows: int | None = None
    error: Json | None = None
    cancelled: bool = False


class BigQueryStandIn:
    """The service: listens from entering to leaving."""

    def __init__(self, *, page_rows: int = 1000, polls_until_done: int = 0, require_token: str | None = None) -> None:
        self.page_rows = page_rows
        self.polls_until_done = polls_until_done
        self.require_token = require_token
        self.jobs: dict[str, StoredJob] = {}
        self.requests: list[tuple[str, str]] = []
        self.pages: list[int] = []
        self._failures: deque[tuple[str, str]] = deque()
        self._lock = threading.RLock()
        self._database = duckdb.connect()
        self._projects: set[str] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """The endpoint, without a path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> BigQueryStandIn:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._database.close()

    def run(self, sql: str, *, project: str = "local") -> list[Any]:
        """Runs SQL in a project; datasets that it names in backticks are made."""
        with self._lock:
            self._use(project)
            return self._database.execute(self._translated(sql, project)).fetchall()

    def fail_next(self, reason: str, message: str) -> None:
        """The next job ends with this error."""
        self._failures.append((reason, message))

    # --- the protocol ---

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Json) -> Json:
        """The answer to a request. Raises Refused."""
        for verb, pattern, handle in _ROUTES:
            found = re.fullmatch(pattern, path)
            if verb == method and found:
                with self._lock:
                    return handle(self, *found.groups(), query=query, body=body)
        raise Refused(404, "notFound", f"Not found: {method} {path}")

    def insert(self, project: str, *, query: Mapping[str, str], body: Json) -> Json:
        wanted = body["configuration"]
        reference = body.get("jobReference", {})
        sql = wanted["query"]["query"]
        words = re.sub(r"/\*.*?\*/|--[^\n]*", " ", sql, flags=re.DOTALL).split()
        statement = {"WITH": "SELECT", "FROM": "SELECT"}.get(words[0].upper(), words[0].upper())
        job = StoredJob(reference.get("jobId") or uuid4().hex, project, wanted, statement)
        self.jobs[job.id] = job
        if self._failures:
            reason, message = self._failures.popleft()
            job.error = {"reason": reason, "message": message}
        elif NEVER_ENDS not in sql:
            self._execute(job, sql)
        return self._resource(job)

    def get(self, project: str, job_id: str, *, query: Mapping[str, str], body: Json) -> Json:
        job = self._job(job_id)
        job.polls += 1
        return self._resource(job)

    def cancel(self, project: str, job_id: str, *, query: Mapping[str, str], body: Json) -> Json:
        job = self._job(job_id)
        job.cancelled = True
        job.error = {"reason": "stopped", "message": "Job execution was cancelled: User requested cancellation"}
        return {"kind": "bigquery#jobCancelResponse", "job": self._resource(job)}

    def results(self, project: str, job_id: str, *, query: Mapping[str, str], body: Json) -> Json:
        job = self._job(job_id)
        if job.error is not None:
            raise Refused(400, job.error["reason"], job.error["message"])
        answer: Json = {
            "kind": "bigquery#getQueryResultsResponse",
            "jobReference": self._reference(job),
            "jobComplete": self._done(job),
        }
        if not answer["jobComplete"]:
            return answer
        if job.affected is not None:
            answer["numDmlAffectedRows"] = str(job.affected)
        if job.table is not None:
            answer |= {"schema": {"fields": job.schema}, "totalRows": str(job.rows)}
            answer |= self._page(job.table, job.schema, int(job.rows or 0), query)
        return answer

    def table(self, project: str, dataset: str, table: str, *, query: Mapping[str, str], body: Json) -> Json:
        place = self._place(project, dataset, table)
        fields, rows = self._described(place)
        reference = {"projectId": project, "datasetId": dataset, "tableId": table}
        return {"tableReference": reference, "schema": {"fields": fields}, "numRows": str(rows), "type": "TABLE"}

    def table_data(self, project: str, dataset: str, table: str, *, query: Mapping[str, str], body: Json) -> Json:
        place = self._place(project, dataset, table)
        fields, rows = self._described(place)
        return {"totalRows": str(rows), **self._page(place, fields, rows, query)}

    def token(self, *, query: Mapping[str, str], body: Json) -> Json:
        return {"access_token": self.require_token or "any", "expires_in": 3600, "token_type": "Bearer"}

    # --- what happens behind it ---

    def _execute(self, job: StoredJob, sql: str) -> None:
        wanted = job.configuration["query"]
        try:
            self._use(job.project)
            dataset = wanted.get("defaultDataset", {}).get("datasetId")
            text = self._translated(sql, job.project, dataset).strip().rstrip(";")
            if job.configuration.get("dryRun"):
                self._database.execute(f"EXPLAIN {text}")
            elif job.statement == "SELECT":
                self._select(job, text)
            else:
                found = self._database.execute(text).fetchall()
                job.affected = found[0][0] if job.statement in ("INSERT", "UPDATE", "DELETE", "MERGE") else None
        except duckdb.Error as problem:
            raise Refused(400, "invalidQuery", str(problem)) from problem

    def _select(self, job: StoredJob, text: str) -> None:
        wanted = job.configuration["query"]
        chosen = wanted.get("destinationTable")
        target = chosen or {"projectId": job.project, "datasetId": "_results", "tableId": f"anon{job.id}"}
        wanted["destinationTable"] = target
        place = _quoted(target["projectId"], target["datasetId"], target["tableId"].partition("$")[0])
        self._use(target["projectId"])
        self._database.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(target['projectId'], target['datasetId'])}")
        self._use(job.project)
        disposition = wanted.get("writeDisposition", "WRITE_EMPTY") if chosen else "WRITE_TRUNCATE"
        if disposition == "WRITE_TRUNCATE":
            self._database.execute(f"CREATE OR REPLACE TABLE {place} AS {text}")
        elif not self._exists(place):
            self._database.execute(f"CREATE TABLE {place} AS {text}")
        elif disposition == "WRITE_APPEND":
            self._database.execute(f"INSERT INTO {place} {text}")
        else:
            job.error = {"reason": "duplicate", "message": f"Already Exists: Table {place}"}
            return
        job.table = place
        job.schema, job.rows = self._described(place)

    def _page(self, place: str, fields: list[Json], total: int, query: Mapping[str, str]) -> Json:
        start = int(query.get("pageToken") or query.get("startIndex") or 0)
        size = min(int(query.get("maxResults", self.page_rows)), self.page_rows)
        if size == 0:
            return {}
        rows = self._database.execute(f"SELECT * FROM {place} LIMIT {size} OFFSET {start}").fetchall()
        self.pages.append(len(rows))
        page: Json = {"rows": [{"f": [_cell(v, f) for v, f in zip(row, fields, strict=True)]} for row in rows]}
        if start + len(rows) < total:
            page["pageToken"] = str(start + len(rows))
        return page

    def _described(self, place: str) -> tuple[list[Json], int]:
        columns = self._database.execute(f"SELECT * FROM {place} LIMIT 0").description or []
        found = self._database.execute(f"SELECT count(*) FROM {place}").fetchone()
        return [_field(str(name), kind) for name, kind, *_ in columns], int(found[0]) if found else 0

    def _resource(self, job: StoredJob) -> Json:
        done = self._done(job)
        status: Json = {"state": "DONE" if done else "RUNNING"}
        if done and job.error is not None:
            status |= {"errorResult": job.error, "errors": [job.error]}
        statistics: Json = {"creationTime": str(_STARTED), "startTime": str(_STARTED)}
        if done:
            statistics |= {"endTime": str(_STARTED + 1500), "query": self._measured(job)}
        return {
            "kind": "bigquery#job",
            "id": f"{job.project}:EU.{job.id}",
            "jobReference": self._reference(job),
            "configuration": job.configuration,
            "status": status,
            "statistics": statistics,
        }

    def _measured(self, job: StoredJob) -> Json:
        found: Json = {
            "statementType": job.statement,
            "totalBytesProcessed": "1024",
            "totalBytesBilled": "10485760",
            "totalSlotMs": "42",
            "totalPartitionsProcessed": "3",
            "cacheHit": False,
            "referencedTables": [{"projectId": job.project, "datasetId": "d", "tableId": "t"}],
        }
        return found if job.affected is None else {**found, "numDmlAffectedRows": str(job.affected)}

    def _done(self, job: StoredJob) -> bool:
        if job.configuration.get("dryRun") or job.cancelled:
            return True
        ends = NEVER_ENDS not in job.configuration["query"]["query"]
        return ends and job.polls >= self.polls_until_done

    def _reference(self, job: StoredJob) -> Json:
        return {"projectId": job.project, "jobId": job.id, "location": "EU"}

    def _job(self, job_id: str) -> StoredJob:
        if job_id not in self.jobs:
            raise Refused(404, "notFound", f"Not found: Job {job_id}")
        return self.jobs[job_id]

    def _place(self, project: str, dataset: str, table: str) -> str:
        place = _quoted(project, dataset, table)
        if project not in self._projects or not self._exists(place):
            raise Refused(404, "notFound", f"Not found: Table {project}:{dataset}.{table}")
        return place

    def _exists(self, place: str) -> bool:
        try:
            self._database.execute(f"SELECT * FROM {place} LIMIT 0")
        except duckdb.CatalogException:
            return False
        return True

    def _use(self, project: str) -> None:
        if project not in self._projects:
            self._projects.add(project)
            self._database.execute(f"ATTACH ':memory:' AS {_quoted(project)}")
        self._database.execute(f"USE {_quoted(project)}")

    def _translated(self, sql: str, project: str, dataset: str | None = None) -> str:
        """Names in backticks as DuckDB quotes them; a name alone lies in the default dataset."""

        def name(found: re.Match[str]) -> str:
            parts = found[1].split(".")
            if len(parts) == 1 and dataset is not None:
                parts = [dataset, *parts]
            if len(parts) == 2:
                parts = [project, *parts]
            if len(parts) == 3:
                self._use(parts[0])
                self._database.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(*parts[:2])}")
                self._use(project)
            return _quoted(*parts)

        return re.sub(r"`([^`]+)`", name, sql)


_PROJECT = r"/bigquery/v2/projects/([^/]+)"
_TABLE = _PROJECT + r"/datasets/([^/]+)/tables/([^/]+)"
_ROUTES: list[tuple[str, str, Any]] = [
    ("POST", _PROJECT + r"/jobs", BigQueryStandIn.insert),
    ("GET", _PROJECT + r"/jobs/([^/]+)", BigQueryStandIn.get),
    ("POST", _PROJECT + r"/jobs/([^/]+)/cancel", BigQueryStandIn.cancel),
    ("GET", _PROJECT + r"/queries/([^/]+)", BigQueryStandIn.results),
    ("GET", _TABLE, BigQueryStandIn.table),
    ("GET", _TABLE + "/data", BigQueryStandIn.table_data),
    ("POST", "/token", BigQueryStandIn.token),
]


def _quoted(*parts: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def _handler(service: BigQueryStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._serve({})

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            is_json = "json" in self.headers.get("Content-Type", "")
            self._serve(json.loads(data) if data and is_json else {})

        def _serve(self, body: Json) -> None:
            url = urlsplit(self.path)
            service.requests.append((self.command, url.path))
            query = {name: values[-1] for name, values in parse_qs(url.query).items()}
            try:
                self._check_token(url.path)
                status, answer = 200, service.answer(self.command, url.path, query, body)
            except Refused as refused:
                status, answer = refused.status, refused.body()
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _check_token(self, path: str) -> None:
            wanted = service.require_token
            if wanted is not None and path != "/token" and self.headers.get("Authorization") != f"Bearer {wanted}":
                raise Refused(401, "authError", "Request had invalid authentication credentials")

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged."""

    return Handler


_TYPES = {
    "BOOLEAN": "BOOLEAN",
    "FLOAT": "FLOAT",
    "DOUBLE": "FLOAT",
    "BLOB": "BYTES",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP": "DATETIME",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "JSON": "JSON",
}


def _field(name: str, kind: Any) -> Json:
    """A column of DuckDB as a field of BigQuery's schema."""
    if kind.id in ("list", "array"):
        return {**_field(name, kind.children[0][1]), "mode": "REPEATED"}
    if kind.id == "struct":
        return {"name": name, "type": "RECORD", "mode": "NULLABLE", "fields": [_field(n, k) for n, k in kind.children]}
    text = str(kind)
    if text.startswith("DECIMAL"):
        found = "NUMERIC" if int(re.findall(r"\d+", text)[1]) <= 9 else "BIGNUMERIC"
    else:
        found = _TYPES.get(text, "INTEGER" if "INT" in text else "STRING")
    return {"name": name, "type": found, "mode": "NULLABLE"}


def _cell(value: Any, described: Json) -> Json:
    if described["mode"] == "REPEATED":
        single = {**described, "mode": "NULLABLE"}
        return {"v": [_cell(item, single) for item in value or ()]}
    if value is None:
        return {"v": None}
    if described["type"] == "RECORD":
        return {"v": {"f": [_cell(value[f["name"]], f) for f in described["fields"]]}}
    return {"v": _text(value, described["type"])}


def _text(value: Any, kind: str) -> str:
    if kind == "BOOLEAN":
        return "true" if value else "false"
    if kind == "BYTES":
        return base64.b64encode(value).decode()
    if kind == "TIMESTAMP":
        return str((value - _EPOCH) // (datetime.resolution))
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def standing() -> Iterator[BigQueryStandIn]:
    """For a fixture: a service while the test runs."""
    with BigQueryStandIn() as service:
        yield service
