-- What commits write and what executors read again.

-- name: next_execution_no
-- Numbers of executions that are still being swept are not given again.
SELECT max(coalesce((SELECT max(no) FROM executions), 0), coalesce((SELECT max(no) FROM sweeps), 0)) + 1;

-- name: execution_no
SELECT no FROM executions WHERE id = ?;

-- name: insert_execution
INSERT INTO executions (no, id, tenant_id, namespace, flow_id, flow_revision, kind, state, started, ended, closed, slot,
                        parent_id, trigger_id, trigger_execution_id, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_execution
-- A change that queries must see.
UPDATE executions SET state = ?, ended = ?, closed = ?, slot = ?, flow_revision = ?, body = ? WHERE no = ?;

-- name: update_execution_body
-- A change that no query asks for: touches no index.
UPDATE executions SET body = ? WHERE no = ?;

-- name: put_context
INSERT INTO execution_contexts (no, body) VALUES (?, ?) ON CONFLICT (no) DO UPDATE SET body = excluded.body;

-- name: set_trigger
-- A context that comes after its execution was created.
UPDATE executions SET trigger_id = ?, trigger_execution_id = ? WHERE no = ?;

-- name: delete_labels
DELETE FROM execution_labels WHERE no = ?;

-- name: insert_label
INSERT INTO execution_labels (no, key, value) VALUES (?, ?, ?);

-- name: insert_run
INSERT INTO task_runs (key, id, task_id, parent_id, owner, kind, iteration, live, state, started, ended, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_run
-- Changed and still live, or ended: `live` is set only where it changes, so that its index is left alone otherwise.
UPDATE task_runs SET state = ?, body = ? WHERE key = ?;

-- name: set_run_live
UPDATE task_runs SET live = ?, state = ?, ended = ?, body = ? WHERE key = ?;

-- name: run_key
SELECT key FROM task_runs WHERE id = ? AND key BETWEEN ? AND ?;

-- name: delete_run
DELETE FROM task_runs WHERE key = ?;

-- name: delete_run_outputs
DELETE FROM outputs WHERE key = ?;

-- name: delete_run_loop_values
DELETE FROM loop_values WHERE key = ?;

-- name: put_output
INSERT INTO outputs (key, no, owner, task_id, path, run_id, iteration, uri, size, value)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET path = excluded.path, iteration = excluded.iteration, uri = excluded.uri,
                                size = excluded.size, value = excluded.value;

-- name: put_execution_outputs
INSERT INTO execution_outputs (no, uri, size, value) VALUES (?, ?, ?, ?)
ON CONFLICT (no) DO UPDATE SET uri = excluded.uri, size = excluded.size, value = excluded.value;

-- name: put_loop_values
INSERT INTO loop_values (key, start, length, items, names) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (key, start) DO UPDATE SET length = excluded.length, items = excluded.items, names = excluded.names;

-- name: put_timer
INSERT INTO timers (no, key, due, stamp) VALUES (?, ?, ?, ?)
ON CONFLICT (no, key) DO UPDATE SET due = excluded.due, stamp = excluded.stamp;

-- name: delete_timer
DELETE FROM timers WHERE no = ? AND key = ?;

-- name: insert_transition
INSERT INTO transitions (execution_id, tenant_id, namespace, flow_id, state, at) VALUES (?, ?, ?, ?, ?, ?);

-- name: load_execution
SELECT e.no, e.body, c.body FROM executions e LEFT JOIN execution_contexts c ON c.no = e.no WHERE e.id = ?;

-- name: live_runs
-- In order of creation, by the small index of live task runs alone.
SELECT body FROM task_runs INDEXED BY task_runs_live WHERE live = 1 AND key BETWEEN ? AND ? ORDER BY key;

-- name: last_run
-- The newest task run: its number is the execution's sequence, which the head need not have seen.
SELECT max(key) FROM task_runs WHERE key BETWEEN ? AND ?;

-- name: all_runs
SELECT body FROM task_runs WHERE key BETWEEN ? AND ? ORDER BY key;

-- name: runs_by_id
-- The ids come as a JSON array.
SELECT body FROM task_runs
WHERE id IN (SELECT value FROM json_each(?)) AND key BETWEEN ? AND ? ORDER BY key;

-- name: ended_children
SELECT task_id FROM task_runs WHERE parent_id = ? AND live = 0 AND key BETWEEN ? AND ? ORDER BY key;

-- name: ended_at_top
SELECT task_id FROM task_runs WHERE key BETWEEN ? AND ? AND parent_id IS NULL AND live = 0 ORDER BY key;

-- name: unfinished
SELECT id FROM executions INDEXED BY executions_open WHERE closed = 0 ORDER BY no;

-- name: timers
SELECT e.id, t.key, t.due, t.stamp FROM timers t JOIN executions e ON e.no = t.no ORDER BY t.due;

-- name: queued_of_flow
-- Who waits longest is said by the histories: an execution may have been paused before it queued.
SELECT no, id, body FROM executions INDEXED BY executions_open
WHERE closed = 0 AND tenant_id = ? AND namespace = ? AND flow_id = ? AND state = 'QUEUED';

-- name: slots_used
SELECT count(*) FROM executions INDEXED BY executions_open
WHERE closed = 0 AND tenant_id = ? AND namespace = ? AND flow_id = ? AND slot = 1;

-- name: children
SELECT id FROM executions WHERE trigger_execution_id = ? AND closed = 0 ORDER BY no;

-- name: loop_values
SELECT start, length, items, names FROM loop_values WHERE key = ? AND start >= ? AND start < ? ORDER BY start;

-- name: output_at
SELECT run_id, owner, task_id, path, iteration, uri, size, value FROM outputs
WHERE no = ? AND owner = ? AND task_id = ? AND path = ? ORDER BY key DESC LIMIT 1;

-- name: output_places
SELECT path FROM outputs WHERE no = ? AND owner = ? AND task_id = ? AND path >= ? AND path < ? ORDER BY key;

-- name: output_tasks
SELECT task_id FROM outputs WHERE no = ? AND owner = ? GROUP BY task_id ORDER BY min(key);

-- name: outputs_by_run
SELECT o.run_id, o.owner, o.task_id, o.path, o.iteration, o.uri, o.size, o.value
FROM task_runs t JOIN outputs o ON o.key = t.key
WHERE t.id IN (SELECT value FROM json_each(?)) AND t.key BETWEEN ? AND ? ORDER BY o.key;

-- name: transitions
SELECT id, execution_id, tenant_id, namespace, flow_id, state, at FROM transitions ORDER BY id LIMIT ?;
