-- What the service asks of the server itself, before it serves.

-- name: server_safety
-- The settings without which a confirmed request may be forgotten, as they are for this role in this database.
SELECT current_setting('server_version_num')::int AS version,
       current_setting('fsync') AS fsync,
       current_setting('full_page_writes') AS full_page_writes,
       current_setting('synchronous_commit') AS synchronous_commit;
