-- The first schema. Times are microseconds since 1970 (UTC); `body` is a whole record as JSON, the columns beside it
-- only what queries need.
--
-- Keys of the rows of an execution are its number shifted left by 32 bits plus a counter of its own: they are ordered
-- by creation, lie together, and a change finds its row by an integer. Whatever belongs to one execution is one range.

-- Heads of executions: what changes while they run.
CREATE TABLE executions (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    flow_revision INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER,
    closed INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    parent_id TEXT,
    trigger_id TEXT,
    trigger_execution_id TEXT,
    body BLOB NOT NULL
);
CREATE INDEX executions_started ON executions (tenant_id, started);
CREATE INDEX executions_flow ON executions (tenant_id, namespace, flow_id, started);
CREATE INDEX executions_open ON executions (tenant_id, namespace, flow_id) WHERE closed = 0;
CREATE INDEX executions_trigger ON executions (trigger_execution_id) WHERE trigger_execution_id IS NOT NULL;

-- What executions were given: inputs, labels, variables, trigger. Written only when it changes.
CREATE TABLE execution_contexts (no INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE execution_labels (
    no INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (no, key)
) WITHOUT ROWID;
CREATE INDEX execution_labels_key ON execution_labels (key, value);

-- Outputs of whole executions.
CREATE TABLE execution_outputs (no INTEGER PRIMARY KEY, uri TEXT, size INTEGER NOT NULL, value BLOB);

-- Task runs and Loop iterations: key = execution number << 32 | sequence.
CREATE TABLE task_runs (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    parent_id TEXT,
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    iteration INTEGER,
    live INTEGER NOT NULL,
    state TEXT NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER,
    body BLOB NOT NULL
);
CREATE INDEX task_runs_id ON task_runs (id);
CREATE INDEX task_runs_live ON task_runs (live) WHERE live = 1;
CREATE INDEX task_runs_parent ON task_runs (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX task_runs_iterations ON task_runs (kind) WHERE kind = 'ITERATION';
CREATE INDEX task_runs_owner ON task_runs (owner) WHERE owner <> '';

-- Outputs of task runs; key as in task_runs. `path` is a JSON array without its closing bracket, so that everything
-- below a place is one range of text.
CREATE TABLE outputs (
    key INTEGER PRIMARY KEY,
    no INTEGER NOT NULL,
    owner TEXT NOT NULL,
    task_id TEXT NOT NULL,
    path TEXT NOT NULL,
    run_id TEXT NOT NULL,
    iteration INTEGER,
    uri TEXT,
    size INTEGER NOT NULL,
    value BLOB
);
CREATE INDEX outputs_place ON outputs (no, owner, task_id, path);

-- Values that loops go over, in stretches of a fixed length; key as in task_runs.
CREATE TABLE loop_values (
    key INTEGER NOT NULL, start INTEGER NOT NULL, length INTEGER NOT NULL, items BLOB NOT NULL, names BLOB,
    PRIMARY KEY (key, start)
) WITHOUT ROWID;

-- Moments that executions wait for.
CREATE TABLE timers (
    no INTEGER NOT NULL, key TEXT NOT NULL, due INTEGER NOT NULL, stamp INTEGER NOT NULL, PRIMARY KEY (no, key)
) WITHOUT ROWID;

-- Changes of state that Flow triggers have not looked at yet.
CREATE TABLE transitions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    execution_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    state TEXT NOT NULL,
    at INTEGER NOT NULL
);

-- Log lines of flows: key = execution number << 32 | counter; number 0 holds the lines of triggers.
CREATE TABLE logs (
    key INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    level INTEGER NOT NULL,
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    execution_id TEXT,
    task_id TEXT,
    run_id TEXT,
    attempt INTEGER,
    trigger_id TEXT,
    kind TEXT,
    thread TEXT NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX logs_at ON logs (at);
CREATE INDEX logs_trigger ON logs (tenant_id, namespace, flow_id, trigger_id) WHERE trigger_id IS NOT NULL;

-- Metrics of flows; key as in logs.
CREATE TABLE metrics (
    key INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    value REAL, -- NULL: not a number
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    execution_id TEXT,
    task_id TEXT,
    run_id TEXT,
    kind TEXT,
    tags BLOB
);
CREATE INDEX metrics_flow ON metrics (namespace, flow_id, at);

-- Numbers of deleted executions whose task runs, outputs, logs and metrics are still being removed.
CREATE TABLE sweeps (no INTEGER PRIMARY KEY);

-- Flows: every revision. `latest` marks the one that counts.
CREATE TABLE flows (
    no INTEGER PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    latest INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    draft INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    error TEXT,
    labels TEXT NOT NULL,
    document BLOB NOT NULL,
    source TEXT NOT NULL,
    UNIQUE (tenant_id, namespace, id, revision)
);
CREATE INDEX flows_latest ON flows (tenant_id, namespace, id) WHERE latest = 1 AND deleted = 0;

-- Keys and values of namespaces. A deleted key keeps its row (`deleted`) so that revisions go on.
CREATE TABLE key_values (
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    revision INTEGER NOT NULL,
    description TEXT,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    expires INTEGER,
    deleted INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, namespace, key)
);
CREATE INDEX key_values_expires ON key_values (expires) WHERE expires IS NOT NULL AND deleted = 0;

-- Secrets of namespaces, sealed.
CREATE TABLE secrets (
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    sealed TEXT NOT NULL,
    description TEXT,
    tags BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, namespace, key)
);

-- Files of namespaces: every revision of each, and folders. `latest` marks the newest revision.
CREATE TABLE namespace_files (
    no INTEGER PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    path TEXT NOT NULL,
    parent_path TEXT NOT NULL,
    revision INTEGER NOT NULL,
    latest INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    directory INTEGER NOT NULL,
    size INTEGER NOT NULL,
    uri TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    UNIQUE (tenant_id, namespace, path, revision)
);

-- Rows of triggers: what the scheduler keeps of each.
CREATE TABLE trigger_states (
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    version INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    next_date INTEGER,
    last_triggered INTEGER,
    execution_id TEXT,
    worker_id TEXT,
    body BLOB NOT NULL,
    PRIMARY KEY (tenant_id, namespace, flow_id, trigger_id)
);

-- What Flow triggers have seen of their dependencies.
CREATE TABLE trigger_windows (
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    condition_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (tenant_id, namespace, flow_id, condition_id)
);
CREATE INDEX trigger_windows_ends ON trigger_windows (ends);

-- Executions that triggers must start, until they are known to be started.
CREATE TABLE trigger_fires (no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, body BLOB NOT NULL);

-- The trigger journal: what evaluations came to.
CREATE TABLE trigger_evaluations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    execution_id TEXT,
    body BLOB NOT NULL
);
CREATE INDEX trigger_evaluations_trigger ON trigger_evaluations (tenant_id, namespace, flow_id, trigger_id);
CREATE INDEX trigger_evaluations_at ON trigger_evaluations (at);
