/** Whether decimal text `a` is a smaller number than decimal text `b`: a shorter decimal is smaller, equal lengths compare as text. */
const older = (a: string, b: string): string => `(length(${a}) < length(${b}) OR (length(${a}) = length(${b}) AND ${a} < ${b}))`;

const KEY = 'cluster = ? AND api_group = ? AND resource = ? AND namespace = ? AND name = ?';

/**
 * Makes the row hold this object unless storage holds something at least as new (semantics section 8.2), all in the one statement; measured free.
 * The same revision may be written again for another uid, or as a rewrite with another body. An older one never. Never over a row of a higher epoch.
 * Refusing a put that comes after the delete of the same uid and a newer revision will be one more condition here, on the tombstones.
 * Parameter 14 is 1 for a rewrite, 2 when the history of the cluster went back: then the revision of the row says nothing.
 */
export const UPSERT = `
INSERT INTO objects (cluster, api_group, resource, namespace, name, api_version, kind, uid, resource_version, hash, epoch, written_at, body)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, CAST(?13 AS TEXT))
ON CONFLICT (cluster, api_group, resource, namespace, name) DO UPDATE SET
  api_version = excluded.api_version, kind = excluded.kind, uid = excluded.uid, resource_version = excluded.resource_version,
  hash = excluded.hash, epoch = excluded.epoch, written_at = excluded.written_at, body = excluded.body
WHERE objects.epoch <= excluded.epoch AND (
  ?14 = 2 OR
  ${older('objects.resource_version', 'excluded.resource_version')}
  OR (objects.resource_version = excluded.resource_version AND (objects.uid <> excluded.uid OR (?14 = 1 AND objects.hash <> excluded.hash)))
)`;

/** Removes the row if it still holds this uid, no revision newer than the delete's (parameter 7, or NULL for any), and no higher epoch. */
export const DELETE = `
DELETE FROM objects
WHERE cluster = ?1 AND api_group = ?2 AND resource = ?3 AND namespace = ?4 AND name = ?5
  AND uid = ?6 AND (?7 IS NULL OR NOT ${older('?7', 'resource_version')}) AND epoch <= ?8`;

/** The trigger knows neither the delete's revision nor our clock; its line is the newest of the transaction. */
export const STAMP_DELETE = `
UPDATE changes SET resource_version = coalesce(?, resource_version), written_at = ? WHERE seq = (SELECT max(seq) FROM changes)`;

/** Only asked when a statement changed nothing, to say why. */
export const LOOK_UP = `SELECT uid, resource_version, epoch FROM objects WHERE ${KEY}`;

export const SAVE_SCOPE = `
INSERT INTO scopes (cluster, api_group, resource, scope, watermark, listed_at, heard_at, objects, complete, stored)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (cluster, api_group, resource, scope) DO UPDATE SET
  watermark = excluded.watermark, listed_at = excluded.listed_at, heard_at = excluded.heard_at, objects = excluded.objects, complete = excluded.complete,
  stored = excluded.stored`;

export const REMOVE_SCOPE = 'DELETE FROM scopes WHERE cluster = ? AND api_group = ? AND resource = ? AND scope = ?';

/** Takes the writer's row unless a higher epoch has it. */
export const SAVE_WRITER = `
INSERT INTO writers (cluster, shard, epoch, holder, since) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (cluster, shard) DO UPDATE SET epoch = excluded.epoch, holder = excluded.holder, since = excluded.since
WHERE writers.epoch <= excluded.epoch`;

export const READ_WRITER = 'SELECT epoch, holder, since FROM writers WHERE cluster = ? AND shard = ?';

/** Two look-ups at the ends of the b-tree; min and max in one SELECT would read the whole table. */
export const CHANGE_ENDS = `
SELECT (SELECT min(seq) FROM changes) AS oldest, (SELECT max(seq) FROM changes) AS newest,
  (SELECT written_at FROM changes ORDER BY seq LIMIT 1) AS oldest_at`;

export const PRUNE_ROWS = 'DELETE FROM changes WHERE seq <= ?';

export const PRUNE_AGE = 'DELETE FROM changes WHERE seq <= ? AND written_at < ?';
