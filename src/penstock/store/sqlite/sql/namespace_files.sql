-- Files of namespaces by revision; `latest` marks the newest, which may say deleted.

-- name: newest
-- The newest revision, whatever it says.
SELECT {row} FROM namespace_files n WHERE tenant_id = ? AND namespace = ? AND path = ? ORDER BY revision DESC LIMIT 1;

-- name: revision
SELECT {row} FROM namespace_files n WHERE tenant_id = ? AND namespace = ? AND path = ? AND revision = ?;

-- name: revisions
SELECT {row} FROM namespace_files n WHERE tenant_id = ? AND namespace = ? AND path = ? ORDER BY revision;

-- name: below
SELECT {row} FROM namespace_files n
WHERE tenant_id = ? AND namespace = ? AND path >= ? AND path < ? AND latest = 1 AND deleted = 0 ORDER BY path;

-- name: demote
UPDATE namespace_files SET latest = 0 WHERE tenant_id = ? AND namespace = ? AND path = ? AND latest = 1;

-- name: insert
INSERT INTO namespace_files
    (tenant_id, namespace, path, parent_path, revision, latest, deleted, directory, size, uri, created, updated)
VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?);

-- name: remove
DELETE FROM namespace_files WHERE tenant_id = ? AND namespace = ? AND path = ? AND revision = ?;

-- name: uri_is_used
SELECT 1 FROM namespace_files WHERE tenant_id = ? AND uri = ? LIMIT 1;

-- name: search
SELECT {row} FROM namespace_files n WHERE n.latest = 1 AND n.deleted = 0 AND n.tenant_id = ? AND {where}
ORDER BY {order} LIMIT ? OFFSET ?;

-- name: count
SELECT count(*) FROM namespace_files n WHERE n.latest = 1 AND n.deleted = 0 AND n.tenant_id = ? AND {where};
