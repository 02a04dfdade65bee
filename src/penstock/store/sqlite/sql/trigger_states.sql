-- Rows of triggers, windows of Flow triggers, fires on their way, and the trigger journal.

-- name: insert_state
INSERT INTO trigger_states (kind, version, disabled, next_date, last_triggered, execution_id, worker_id, body,
                            tenant_id, namespace, flow_id, trigger_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: update_state
-- Only from the version before: whoever is second changes nothing.
UPDATE trigger_states SET kind = ?, version = ?, disabled = ?, next_date = ?, last_triggered = ?, execution_id = ?,
                          worker_id = ?, body = ?
WHERE tenant_id = ? AND namespace = ? AND flow_id = ? AND trigger_id = ? AND version = ?;

-- name: delete_state
DELETE FROM trigger_states WHERE tenant_id = ? AND namespace = ? AND flow_id = ? AND trigger_id = ?;

-- name: insert_window
INSERT INTO trigger_windows (version, ends, body, tenant_id, namespace, flow_id, condition_id)
VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: update_window
UPDATE trigger_windows SET version = ?, ends = ?, body = ?
WHERE tenant_id = ? AND namespace = ? AND flow_id = ? AND condition_id = ? AND version = ?;

-- name: delete_window
DELETE FROM trigger_windows
WHERE tenant_id = ? AND namespace = ? AND flow_id = ? AND condition_id = ? AND version = ?;

-- name: consume_transition
DELETE FROM transitions WHERE id = ?;

-- name: insert_fire
INSERT INTO trigger_fires (id, at, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING;

-- name: delete_fire
DELETE FROM trigger_fires WHERE id = ?;

-- name: insert_evaluation
INSERT INTO trigger_evaluations (tenant_id, namespace, flow_id, trigger_id, at, outcome, execution_id, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: all_states
-- One stretch, behind a given row number.
SELECT rowid, body FROM trigger_states WHERE rowid > ? ORDER BY rowid LIMIT ?;

-- name: state
SELECT body FROM trigger_states WHERE tenant_id = ? AND namespace = ? AND flow_id = ? AND trigger_id = ?;

-- name: of_flow
SELECT body FROM trigger_states WHERE tenant_id = ? AND namespace = ? AND flow_id = ? ORDER BY trigger_id;

-- name: search
SELECT s.body FROM trigger_states s
WHERE s.kind IN ({visible}) AND s.tenant_id = ? AND {where} ORDER BY {order} LIMIT ? OFFSET ?;

-- name: count
SELECT count(*) FROM trigger_states s WHERE s.kind IN ({visible}) AND s.tenant_id = ? AND {where};

-- name: windows
SELECT body FROM trigger_windows WHERE tenant_id = ? AND namespace = ? AND flow_id = ? ORDER BY condition_id;

-- name: expired_windows
SELECT body FROM trigger_windows WHERE ends < ? ORDER BY ends LIMIT ?;

-- name: next_window_end
SELECT min(ends) FROM trigger_windows;

-- name: pending_fires
SELECT body FROM trigger_fires ORDER BY no;

-- name: evaluations
SELECT v.id, v.body FROM trigger_evaluations v WHERE v.tenant_id = ? AND {where} ORDER BY {order} LIMIT ? OFFSET ?;

-- name: count_evaluations
SELECT count(*) FROM trigger_evaluations v WHERE v.tenant_id = ? AND {where};

-- name: purge_evaluations
-- One step.
DELETE FROM trigger_evaluations WHERE id IN (SELECT id FROM trigger_evaluations WHERE at < ? LIMIT ?);

-- name: live
-- The ids come as a JSON array.
SELECT id FROM executions WHERE closed = 0 AND id IN (SELECT value FROM json_each(?1))
UNION SELECT id FROM trigger_fires WHERE id IN (SELECT value FROM json_each(?1));
