-- What happens without a caller.

-- name: forget_old_hours
-- Delete sums by the hour that are older than 60 days, some at a time; nobody waits for them. Of all users: the job.
DELETE FROM usage_rollups AS r
 WHERE r.ctid = ANY (ARRAY(SELECT o.ctid
                             FROM usage_rollups AS o
                            WHERE o.period = 'hour'
                              -- Asked for once: what is volatile cannot be looked up in an index.
                              AND o.period_start < (SELECT (tk_now() AT TIME ZONE 'UTC') - interval '60 days')
                            LIMIT :most
                              FOR UPDATE SKIP LOCKED))
RETURNING 1 AS forgotten;
