-- Deleting executions: what makes them visible goes at once, the mass of their rows in bounded steps.

-- name: delete_head
DELETE FROM executions WHERE no = ?;

-- name: delete_context
DELETE FROM execution_contexts WHERE no = ?;

-- name: delete_labels
DELETE FROM execution_labels WHERE no = ?;

-- name: delete_execution_outputs
DELETE FROM execution_outputs WHERE no = ?;

-- name: delete_timers
DELETE FROM timers WHERE no = ?;

-- name: add_sweep
INSERT OR IGNORE INTO sweeps (no) VALUES (?);

-- name: next_sweep
SELECT no FROM sweeps ORDER BY no LIMIT 1;

-- name: end_sweep
DELETE FROM sweeps WHERE no = ?;

-- name: sweep_runs
DELETE FROM task_runs WHERE key IN (SELECT key FROM task_runs WHERE key BETWEEN ? AND ? LIMIT ?);

-- name: sweep_outputs
DELETE FROM outputs WHERE key IN (SELECT key FROM outputs WHERE key BETWEEN ? AND ? LIMIT ?);

-- name: sweep_logs
DELETE FROM logs WHERE key IN (SELECT key FROM logs WHERE key BETWEEN ? AND ? LIMIT ?);

-- name: sweep_metrics
DELETE FROM metrics WHERE key IN (SELECT key FROM metrics WHERE key BETWEEN ? AND ? LIMIT ?);

-- name: sweep_loop_values
-- The table has no row number: a stretch of values is small enough to go with its task run.
DELETE FROM loop_values
WHERE (key, start) IN (SELECT key, start FROM loop_values WHERE key BETWEEN ? AND ? LIMIT ?);
