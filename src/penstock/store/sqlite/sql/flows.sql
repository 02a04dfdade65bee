-- Flows, by revision.

-- name: newest_revision
SELECT max(revision) FROM flows WHERE tenant_id = ? AND namespace = ? AND id = ?;

-- name: revision_exists
SELECT 1 FROM flows WHERE tenant_id = ? AND namespace = ? AND id = ? AND revision = ?;

-- name: demote
-- What was the latest revision no longer is.
UPDATE flows SET latest = 0 WHERE tenant_id = ? AND namespace = ? AND id = ? AND latest = 1;

-- name: insert
INSERT INTO flows (tenant_id, namespace, id, revision, latest, deleted, disabled, draft, updated, error, labels, document, source)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: latest
SELECT {row} FROM flows f WHERE tenant_id = ? AND namespace = ? AND id = ? ORDER BY revision DESC LIMIT 1;

-- name: revision
SELECT {row} FROM flows f WHERE tenant_id = ? AND namespace = ? AND id = ? AND revision = ?;

-- name: revisions
SELECT {row} FROM flows f WHERE tenant_id = ? AND namespace = ? AND id = ? ORDER BY revision;

-- name: all_latest
-- One stretch of all flows, in the order of the index, behind a given one.
SELECT {row} FROM flows f INDEXED BY flows_latest
WHERE latest = 1 AND deleted = 0 AND (tenant_id, namespace, id) > (?, ?, ?) ORDER BY tenant_id, namespace, id LIMIT ?;

-- name: tenant_latest
SELECT {row} FROM flows f INDEXED BY flows_latest
WHERE latest = 1 AND deleted = 0 AND tenant_id = ? AND (namespace, id) > (?, ?) ORDER BY namespace, id LIMIT ?;

-- name: in_namespace
SELECT {row} FROM flows f INDEXED BY flows_latest
WHERE latest = 1 AND deleted = 0 AND tenant_id = ? AND namespace = ? ORDER BY id;

-- name: below_namespace
SELECT {row} FROM flows f INDEXED BY flows_latest
WHERE latest = 1 AND deleted = 0 AND tenant_id = ? AND namespace >= ? AND namespace < ? ORDER BY namespace, id;

-- name: search
SELECT {row} FROM flows f WHERE f.latest = 1 AND f.deleted = 0 AND f.tenant_id = ? AND {where}
ORDER BY {order} LIMIT ? OFFSET ?;

-- name: count
SELECT count(*) FROM flows f WHERE f.latest = 1 AND f.deleted = 0 AND f.tenant_id = ? AND {where};

-- name: namespaces
SELECT DISTINCT namespace FROM flows INDEXED BY flows_latest
WHERE latest = 1 AND deleted = 0 AND tenant_id = ? ORDER BY namespace;

-- name: delete_all_revisions
DELETE FROM flows WHERE tenant_id = ? AND namespace = ? AND id = ?;

-- name: delete_revision
DELETE FROM flows WHERE tenant_id = ? AND namespace = ? AND id = ? AND revision = ?;

-- name: promote
-- The highest revision that is left is the latest.
UPDATE flows SET latest = 1 WHERE tenant_id = ?1 AND namespace = ?2 AND id = ?3
AND revision = (SELECT max(revision) FROM flows WHERE tenant_id = ?1 AND namespace = ?2 AND id = ?3);
