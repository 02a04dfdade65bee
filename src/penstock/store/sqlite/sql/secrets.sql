-- Secrets of namespaces, sealed.

-- name: put
INSERT INTO secrets (tenant_id, namespace, key, sealed, description, tags, created, updated)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (tenant_id, namespace, key) DO UPDATE SET
    sealed = excluded.sealed, description = excluded.description, tags = excluded.tags, updated = excluded.updated
RETURNING created;

-- name: get
SELECT {row} FROM secrets s WHERE tenant_id = ? AND namespace = ? AND key = ?;

-- name: delete
DELETE FROM secrets WHERE tenant_id = ? AND namespace = ? AND key = ?;

-- name: search
SELECT {row} FROM secrets s WHERE s.tenant_id = ? AND {where} ORDER BY {order} LIMIT ? OFFSET ?;

-- name: count
SELECT count(*) FROM secrets s WHERE s.tenant_id = ? AND {where};

-- name: all
SELECT {row} FROM secrets s ORDER BY tenant_id, namespace, key;
