-- Questions of people and clients. What deleted executions left behind is never seen.

-- name: execution
SELECT e.body, c.body FROM executions e LEFT JOIN execution_contexts c ON c.no = e.no
WHERE e.tenant_id = ? AND e.id = ?;

-- name: search_executions
SELECT e.body, c.body FROM executions e LEFT JOIN execution_contexts c ON c.no = e.no
WHERE e.tenant_id = ? AND {where} ORDER BY {order} LIMIT ? OFFSET ?;

-- name: count_executions
SELECT count(*) FROM executions e WHERE e.tenant_id = ? AND {where};

-- name: distinct_executions
SELECT DISTINCT {field} FROM executions e WHERE e.tenant_id = ? AND {field} IS NOT NULL AND {where} ORDER BY 1 LIMIT ?;

-- name: tally_executions
SELECT {groups}, count(*), count(e.ended), coalesce(sum(e.ended - e.started), 0)
FROM executions e WHERE e.tenant_id = ? AND {where} GROUP BY {groups} ORDER BY {groups};

-- name: latest_execution
SELECT body FROM executions WHERE tenant_id = ? AND namespace = ? AND flow_id = ? ORDER BY started DESC, no DESC LIMIT 1;

-- name: retained
-- One stretch, in order of creation, behind a given number.
SELECT e.no, e.id FROM executions e
WHERE e.tenant_id = ? AND e.closed = 1 AND e.ended < ? AND {where} AND e.no > ? ORDER BY e.no LIMIT ?;

-- name: run
SELECT e.id, t.body FROM task_runs t JOIN executions e ON e.no = t.key >> 32 WHERE t.id = ? ORDER BY t.key DESC LIMIT 1;

-- name: runs
SELECT t.body FROM task_runs t WHERE {where} ORDER BY t.key LIMIT ? OFFSET ?;

-- name: count_runs
SELECT count(*) FROM task_runs t WHERE {where};

-- name: search_iterations
SELECT e.id, t.body FROM task_runs t JOIN executions e ON e.no = t.key >> 32
WHERE t.kind = 'ITERATION' AND e.tenant_id = ? AND {where} ORDER BY {order} LIMIT ? OFFSET ?;

-- name: count_iterations
SELECT count(*) FROM task_runs t JOIN executions e ON e.no = t.key >> 32
WHERE t.kind = 'ITERATION' AND e.tenant_id = ? AND {where};

-- name: outputs
-- Without the values, which may be large.
SELECT o.run_id, o.owner, o.task_id, o.path, o.iteration, o.uri, o.size, NULL FROM outputs o
WHERE o.no = (SELECT no FROM executions WHERE id = ?) AND (o.owner = ? OR ?) ORDER BY o.key;

-- name: output
SELECT o.run_id, o.owner, o.task_id, o.path, o.iteration, o.uri, o.size, o.value
FROM task_runs t JOIN outputs o ON o.key = t.key
WHERE t.id = ? AND o.no = (SELECT no FROM executions WHERE id = ?);

-- name: execution_outputs
SELECT o.uri, o.size, o.value FROM execution_outputs o JOIN executions e ON e.no = o.no WHERE e.id = ?;

-- name: logs
SELECT l.at, l.level, l.tenant_id, l.namespace, l.flow_id, l.execution_id, l.task_id, l.run_id, l.attempt, l.trigger_id,
       l.kind, l.thread, l.message
FROM logs l
WHERE l.tenant_id = ? AND (l.key >> 32) NOT IN (SELECT no FROM sweeps) AND {where} ORDER BY {order} LIMIT ? OFFSET ?;

-- name: count_logs
SELECT count(*) FROM logs l
WHERE l.tenant_id = ? AND (l.key >> 32) NOT IN (SELECT no FROM sweeps) AND {where};

-- name: delete_logs
-- One step.
DELETE FROM logs WHERE key IN (SELECT l.key FROM logs l WHERE l.tenant_id = ? AND {where} LIMIT ?);

-- name: metrics
SELECT m.at, m.type, m.name, m.value, m.tenant_id, m.namespace, m.flow_id, m.execution_id, m.task_id, m.run_id, m.kind,
       m.tags
FROM metrics m
WHERE m.tenant_id = ? AND (m.key >> 32) NOT IN (SELECT no FROM sweeps) AND {where} ORDER BY {order} LIMIT ? OFFSET ?;

-- name: count_metrics
SELECT count(*) FROM metrics m
WHERE m.tenant_id = ? AND (m.key >> 32) NOT IN (SELECT no FROM sweeps) AND {where};

-- name: aggregate_metrics
SELECT {bucket}, {aggregation} FROM metrics m
WHERE m.tenant_id = ? AND (m.key >> 32) NOT IN (SELECT no FROM sweeps) AND {where} GROUP BY 1 ORDER BY 1;

-- name: delete_metrics
-- One step.
DELETE FROM metrics WHERE key IN (SELECT m.key FROM metrics m WHERE m.tenant_id = ? AND {where} LIMIT ?);

-- name: metric_names
SELECT DISTINCT name FROM metrics
WHERE tenant_id = ? AND namespace = ? AND flow_id = ? AND (?4 IS NULL OR task_id = ?4) ORDER BY name;

-- name: metric_tasks
SELECT DISTINCT task_id FROM metrics
WHERE tenant_id = ? AND namespace = ? AND flow_id = ? AND task_id IS NOT NULL ORDER BY task_id;
