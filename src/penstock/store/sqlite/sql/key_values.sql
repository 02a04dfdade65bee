-- Keys and values of namespaces. A deleted key keeps its row, so that revisions go on.

-- name: get
SELECT {row} FROM key_values k WHERE tenant_id = ? AND namespace = ? AND key = ? AND deleted = 0
AND (expires IS NULL OR expires > ?);

-- name: before
-- What is there, whatever its state.
SELECT revision, created, deleted = 1 OR (expires IS NOT NULL AND expires <= ?) FROM key_values
WHERE tenant_id = ? AND namespace = ? AND key = ?;

-- name: put
INSERT INTO key_values (tenant_id, namespace, key, type, value, revision, description, created, updated, expires, deleted)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)
ON CONFLICT (tenant_id, namespace, key) DO UPDATE SET
    type = excluded.type, value = excluded.value, revision = excluded.revision, description = excluded.description,
    created = excluded.created, updated = excluded.updated, expires = excluded.expires, deleted = 0;

-- name: delete
UPDATE key_values SET deleted = 1, value = 'null', updated = ?
WHERE tenant_id = ? AND namespace = ? AND key = ? AND deleted = 0 AND (expires IS NULL OR expires > ?);

-- name: search
SELECT {row} FROM key_values k WHERE k.tenant_id = ? AND k.deleted = 0 AND (? OR k.expires IS NULL OR k.expires > ?)
AND {where} ORDER BY {order} LIMIT ? OFFSET ?;

-- name: count
SELECT count(*) FROM key_values k WHERE k.tenant_id = ? AND k.deleted = 0 AND (? OR k.expires IS NULL OR k.expires > ?)
AND {where};

-- name: purge
UPDATE key_values SET deleted = 1, value = 'null' WHERE deleted = 0 AND expires IS NOT NULL AND expires <= ?;
