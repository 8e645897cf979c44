/** Marks a file of the storage service in its header: "kfbs". Another one than that of a mirror's copy, so neither opens the other's. */
export const APPLICATION_ID = 0x6b666273;

/**
 * Step `i` takes the schema from version `i` to `i + 1`, inside one transaction. Steps are only ever added.
 *
 * `documents`: one row for each (clusterId, namespace, resourceType, resourceName); `namespace` is '' for a cluster-scoped one. The unique index leads
 * by what every list names, and its order is the order of pages; its copy of the live rows alone lets an OFFSET step over them without looking into the
 * table. `writes` is 1 for a row that a PUT has just made; `revived` tells whether the newest PUT found
 * the row deleted. `data` is the last column: what stands before it is read without walking its overflow pages.
 */
export const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE documents (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type TEXT NOT NULL,
  cluster TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  uid TEXT,
  revision TEXT,
  writes INTEGER NOT NULL DEFAULT 1,
  deleted INTEGER NOT NULL DEFAULT 0,
  revived INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at INTEGER,
  extra TEXT,
  data TEXT NOT NULL,
  UNIQUE (type, cluster, namespace, name)
) STRICT;

CREATE INDEX documents_live ON documents (type, cluster, namespace, name) WHERE deleted = 0;
CREATE INDEX documents_deleted ON documents (deleted_at) WHERE deleted = 1;

CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  cluster TEXT NOT NULL,
  name TEXT,
  revision TEXT,
  event_time INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  document TEXT NOT NULL,
  UNIQUE (cluster, name, revision)
) STRICT;

CREATE INDEX events_by_time ON events (cluster, event_time, id);
CREATE INDEX events_by_age ON events (created_at);

CREATE TABLE custom_documents (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  document TEXT NOT NULL
) STRICT;

CREATE INDEX custom_documents_by_type ON custom_documents (type, id);

CREATE TABLE custom_indexes (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type TEXT NOT NULL,
  name TEXT NOT NULL,
  keys TEXT NOT NULL,
  UNIQUE (type, name)
) STRICT;

CREATE TABLE custom_keys (
  index_id INTEGER NOT NULL REFERENCES custom_indexes (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  document_id INTEGER NOT NULL REFERENCES custom_documents (id) ON DELETE CASCADE,
  PRIMARY KEY (index_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX custom_keys_by_document ON custom_keys (document_id);
`,
];

/** The newest schema that this program knows. */
export const SCHEMA_VERSION = MIGRATIONS.length;
