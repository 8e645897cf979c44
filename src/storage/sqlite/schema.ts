/** Marks a database file as ours, in its header: "kfld". A file with another mark is never touched. */
export const APPLICATION_ID = 0x6b666c64;

/**
 * 4096: measured with 3 KB bodies, changed in random order, 50,000 rows/s and 14 µs a row; with 16384 18,000 rows/s and 33 µs,
 * because the log takes a whole page for each row. Inserts in list order are the same within noise (65,000 rows/s).
 */
export const PAGE_SIZE = 4096;

/**
 * Step `i` takes the schema from version `i` to `i + 1` (`PRAGMA user_version`), inside one transaction. Steps are only ever added.
 *
 * `objects` is an ordinary table with the primary key as a second b-tree, not WITHOUT ROWID: measured with 3 KB bodies, inserts equal,
 * updates 50,000 against 20,000 rows/s. `body` is the last column: what stands before it is read without walking its overflow pages.
 * There is no covering index for the index load: it would cost a third of the update rate (50,000 to 34,000 rows/s), because it
 * holds the revision; without it 750,000 keys a CPU second come out of a warm file (index-load.ts).
 *
 * The change log is written by triggers, so that no statement, ours or a person's, changes a row without it; measured free.
 * `changes` needs no AUTOINCREMENT: pruning never takes the newest row, so `seq` never goes back.
 *
 * `tombstones` (step 2) is what a delete leaves behind, for the guard of the upsert: see tombstones.ts. Its second index is for pruning
 * by age and costs deletes only.
 */
export const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE objects (
  cluster TEXT NOT NULL,
  api_group TEXT NOT NULL,
  resource TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  api_version TEXT NOT NULL,
  kind TEXT NOT NULL,
  uid TEXT NOT NULL,
  resource_version TEXT NOT NULL,
  hash BLOB NOT NULL,
  epoch INTEGER NOT NULL,
  written_at INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (cluster, api_group, resource, namespace, name)
) STRICT;

CREATE TABLE changes (
  seq INTEGER PRIMARY KEY,
  cluster TEXT NOT NULL,
  api_group TEXT NOT NULL,
  resource TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  uid TEXT NOT NULL,
  resource_version TEXT NOT NULL,
  type TEXT NOT NULL,
  written_at INTEGER NOT NULL,
  body TEXT
) STRICT;

CREATE TABLE scopes (
  cluster TEXT NOT NULL,
  api_group TEXT NOT NULL,
  resource TEXT NOT NULL,
  scope TEXT NOT NULL,
  watermark TEXT,
  listed_at INTEGER,
  heard_at INTEGER,
  objects INTEGER NOT NULL,
  complete INTEGER NOT NULL,
  stored TEXT,
  PRIMARY KEY (cluster, api_group, resource, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE parked (
  cluster TEXT NOT NULL,
  api_group TEXT NOT NULL,
  resource TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  uid TEXT NOT NULL,
  resource_version TEXT NOT NULL,
  error TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (cluster, api_group, resource, namespace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE writers (
  cluster TEXT NOT NULL,
  shard INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  holder TEXT NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (cluster, shard)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER objects_inserted AFTER INSERT ON objects BEGIN
  INSERT INTO changes (cluster, api_group, resource, namespace, name, uid, resource_version, type, written_at)
  VALUES (NEW.cluster, NEW.api_group, NEW.resource, NEW.namespace, NEW.name, NEW.uid, NEW.resource_version, 'put', NEW.written_at);
END;

CREATE TRIGGER objects_updated AFTER UPDATE ON objects BEGIN
  INSERT INTO changes (cluster, api_group, resource, namespace, name, uid, resource_version, type, written_at)
  VALUES (NEW.cluster, NEW.api_group, NEW.resource, NEW.namespace, NEW.name, NEW.uid, NEW.resource_version, 'put', NEW.written_at);
END;

CREATE TRIGGER objects_deleted AFTER DELETE ON objects BEGIN
  INSERT INTO changes (cluster, api_group, resource, namespace, name, uid, resource_version, type, written_at)
  VALUES (OLD.cluster, OLD.api_group, OLD.resource, OLD.namespace, OLD.name, OLD.uid, OLD.resource_version, 'delete',
    CAST(unixepoch('subsec') * 1000 AS INTEGER));
END;
`,
  `
ALTER TABLE scopes ADD COLUMN rules TEXT;
ALTER TABLE scopes ADD COLUMN identity TEXT;

CREATE TABLE tombstones (
  cluster TEXT NOT NULL,
  api_group TEXT NOT NULL,
  resource TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  uid TEXT NOT NULL,
  resource_version TEXT NOT NULL,
  deleted_at INTEGER NOT NULL,
  PRIMARY KEY (cluster, api_group, resource, namespace, name, uid)
) STRICT, WITHOUT ROWID;

CREATE INDEX tombstones_by_age ON tombstones (deleted_at);
`,
];

/** The newest schema that this program knows. */
export const SCHEMA_VERSION = MIGRATIONS.length;
