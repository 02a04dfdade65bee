-- Log lines and metrics.

-- name: last_log
SELECT max(key) FROM logs WHERE key BETWEEN ? AND ?;

-- name: last_metric
SELECT max(key) FROM metrics WHERE key BETWEEN ? AND ?;

-- name: insert_log
INSERT INTO logs (key, at, level, tenant_id, namespace, flow_id, execution_id, task_id, run_id, attempt, trigger_id,
                  kind, thread, message)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_metric
INSERT INTO metrics (key, at, type, name, value, tenant_id, namespace, flow_id, execution_id, task_id, run_id, kind, tags)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
