-- What operators see of the whole. All of it is of all users.

-- name: overall_periods^
-- Today and yesterday, days of UTC, from the sums over all users by the hour.
SELECT t.measures AS today, y.measures AS yesterday
  FROM (SELECT date_trunc('day', tk_now(), 'UTC') AS today) AS p
 CROSS JOIN LATERAL tk_overall_measures(p.today, p.today + interval '1 day') AS t (measures)
 CROSS JOIN LATERAL tk_overall_measures(p.today - interval '1 day', p.today) AS y (measures);

-- name: pending_of_all^
-- How many requests are under way now, of all users: what is past its deadline is not, swept or not.
SELECT n.now AS as_of, (SELECT count(*) FROM chat_requests AS r WHERE r.status = 'pending' AND r.expires_at > n.now) AS pending
  FROM (SELECT tk_now() AS now) AS n;

-- name: models_seen
-- Every model that requests named, summed since the beginning, and those that have a price of the operator's alone.
SELECT s.model, s.requests, s.tokens_used, s.cost_nanos, s.unpriced, s.last_hour_at,
       tk_own_rates(s.model, tk_now()) AS own_rates
  FROM (SELECT n.model, sum(r.completed + r.failed)::bigint AS requests, sum(r.tokens_used)::bigint AS tokens_used,
               sum(r.cost_nanos) AS cost_nanos, sum(r.unpriced)::bigint AS unpriced, max(r.hour_at) AS last_hour_at
          FROM overall_rollups AS r
         CROSS JOIN LATERAL (SELECT coalesce(nullif(r.model, ''), 'unknown') AS model) AS n
         GROUP BY n.model
         UNION ALL
        SELECT DISTINCT p.model, 0, 0, 0, 0, NULL::timestamptz
          FROM model_prices AS p
         WHERE NOT EXISTS (SELECT FROM overall_rollups AS r WHERE coalesce(nullif(r.model, ''), 'unknown') = p.model)) AS s
 ORDER BY s.requests DESC, s.model;

-- name: prices_of_model
-- The operator's own prices of a model over time.
SELECT p.model, p.effective_from, p.rates
  FROM model_prices AS p
 WHERE p.model = :model
 ORDER BY p.effective_from;

-- name: remove_model_price$
-- Take one price away.
DELETE FROM model_prices AS p
 WHERE p.model = :model AND p.effective_from = :effective_from::timestamptz
RETURNING p.model;

-- name: users_of_model
-- Who has finished requests of a model, from the sums since the beginning.
SELECT DISTINCT r.user_id
  FROM usage_rollups AS r
 WHERE r.period = 'all' AND coalesce(nullif(r.model, ''), 'unknown') = :model AND r.completed + r.failed > 0
 ORDER BY r.user_id;

-- name: repriceable
-- Of some users, each from above an id on, the requests of a model that started within a range and may be priced anew.
SELECT r.user_id, r.id, r.started_at
  FROM unnest(:user_ids::uuid[], :after::uuid[]) AS u (user_id, after)
 CROSS JOIN LATERAL (SELECT q.user_id, q.id, q.started_at
                       FROM chat_requests AS q
                      WHERE q.user_id = u.user_id AND q.id > greatest(u.after, tk_first_uuid7(:since::timestamptz))
                        AND q.id < tk_first_uuid7(:until::timestamptz + interval '1 millisecond')
                        AND q.started_at >= :since AND q.started_at < :until
                        AND coalesce(q.model, 'unknown') = :model AND q.status <> 'pending' AND q.cost_source IN ('computed', 'unpriced')
                      ORDER BY q.id
                      LIMIT :most) AS r;

-- name: reprice^
-- Price a set of requests anew, or say what would come of it; routines/75_repricing.sql tells how.
SELECT * FROM tk_reprice(:model, :user_ids::uuid[], :ids::uuid[], :listed::jsonb[], :apply::boolean);

-- name: note_verification!
-- Keep what a verification found, and forget what others found long ago.
WITH forgotten AS (
    DELETE FROM verifications AS v WHERE v.at < tk_now() - interval '90 days'
)
INSERT INTO verifications (at, seconds, differences, unreadable)
VALUES (:at::timestamptz, greatest(0, extract(epoch FROM tk_now() - :at)), :differences, :unreadable);

-- name: system^
-- The database as it stands.
SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS size_bytes,
       (SELECT count(*) FROM pg_stat_activity AS a WHERE a.datname = current_database()) AS connections,
       r.rows_from, r.texts_from
  FROM retention AS r;

-- name: table_sizes
-- Every table with its indexes and long texts; a partitioned one is the sum of its partitions. Rows are estimates.
SELECT coalesce(p.relname, c.relname) AS name, sum(pg_total_relation_size(c.oid))::bigint AS size_bytes,
       sum(coalesce(nullif(pg_stat_get_live_tuples(c.oid), 0), greatest(c.reltuples, 0)))::bigint AS rows
  FROM pg_class AS c
  LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
  LEFT JOIN pg_class AS p ON p.oid = i.inhparent
 WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
 GROUP BY 1
 ORDER BY 2 DESC, 1;

-- name: partition_sizes
-- The partitions of requests, each with its analytics; the last one takes what no month has. Rows are estimates.
SELECT c.relname AS name, m.starts_at, m.ends_at,
       pg_total_relation_size(c.oid)
       + coalesce(pg_total_relation_size(to_regclass(replace(c.relname, 'chat_requests', 'request_analytics'))), 0) AS size_bytes,
       coalesce(nullif(pg_stat_get_live_tuples(c.oid), 0), greatest(c.reltuples, 0))::bigint AS rows
  FROM pg_inherits AS i
  JOIN pg_class AS c ON c.oid = i.inhrelid
  LEFT JOIN request_months AS m ON m.partition = c.oid
 WHERE i.inhparent = 'chat_requests'::regclass
 ORDER BY m.starts_at NULLS LAST;
