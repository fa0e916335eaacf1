-- What has finished over time, from the sums alone: none of these reads a request.

-- name: calendar_of_user^
-- The day that it is for a user, in the zone of their running window, unless something of theirs is due.
SELECT u.day_zone AS time_zone, u.day_on AS today, n.now, u.due_at <= n.now AS is_due
  FROM usage AS u
 CROSS JOIN (SELECT tk_now() AS now) AS n
 WHERE u.user_id = :user_id;

-- name: analytics
-- The sums of a range and of the one of the same length before it: of all, of each bucket, of each group, and of each
-- group's buckets. Of one user by the days of their zone (or by hours); over all, where no user is given, by hours of UTC.
WITH asked AS (
    SELECT r.period_start AS began_at, ''::text AS plan, coalesce(nullif(r.model, ''), 'unknown') AS model,
           coalesce(nullif(r.category, ''), 'uncategorized') AS category, r.request_type,
           coalesce(nullif(r.complexity, ''), 'unknown') AS complexity,
           r.completed, r.failed, r.tokens_used, r.tokens_input, r.tokens_output, r.tokens_cached, r.tokens_cache_write,
           r.tokens_reasoning, r.cost_nanos::numeric AS cost_nanos, r.unpriced, r.timed,
           r.duration_ms::numeric AS duration_ms, r.rated, r.rating, r.latencies
      FROM usage_rollups AS r
     WHERE r.user_id = :user_id::uuid AND r.period = :period::text
       AND r.period_start >= :before::timestamp AND r.period_start < :until::timestamp
     UNION ALL
    SELECT o.hour_at AT TIME ZONE 'UTC', o.plan_name, coalesce(nullif(o.model, ''), 'unknown'),
           coalesce(nullif(o.category, ''), 'uncategorized'), o.request_type, 'unknown',
           o.completed, o.failed, o.tokens_used, o.tokens_input, o.tokens_output, o.tokens_cached, o.tokens_cache_write,
           o.tokens_reasoning, o.cost_nanos, o.unpriced, o.timed, o.duration_ms, o.rated, o.rating, o.latencies
      FROM overall_rollups AS o
     WHERE :user_id IS NULL
       AND o.hour_at >= :before AT TIME ZONE 'UTC' AND o.hour_at < :until AT TIME ZONE 'UTC'
), cells AS MATERIALIZED (
    -- The latencies of each row are added up once, here; what follows adds up sums.
    SELECT a.began_at < :since::timestamp AS is_before,
           CASE WHEN a.began_at >= :since THEN greatest(date_trunc(:granularity::text, a.began_at), :since) END AS bucket,
           CASE :group_by::text WHEN 'model' THEN a.model WHEN 'category' THEN a.category
                WHEN 'requestType' THEN a.request_type WHEN 'complexity' THEN a.complexity WHEN 'plan' THEN a.plan END AS key,
           sum(a.completed) AS completed, sum(a.failed) AS failed, sum(a.tokens_used) AS tokens_used,
           sum(a.tokens_input) AS tokens_input, sum(a.tokens_output) AS tokens_output,
           sum(a.tokens_cached) AS tokens_cached, sum(a.tokens_cache_write) AS tokens_cache_write,
           sum(a.tokens_reasoning) AS tokens_reasoning, sum(a.cost_nanos) AS cost_nanos, sum(a.unpriced) AS unpriced,
           sum(a.timed) AS timed, sum(a.duration_ms) AS duration_ms, sum(a.rated) AS rated, sum(a.rating) AS rating,
           tk_latencies_total(a.latencies) AS latencies
      FROM asked AS a
     WHERE (:plan::text IS NULL OR a.plan = :plan)
       AND (:model::text IS NULL OR a.model = :model)
       AND (:category::text IS NULL OR a.category = :category)
       AND (:request_type::text IS NULL OR a.request_type = :request_type)
       AND (:complexity::text IS NULL OR a.complexity = :complexity)
     GROUP BY 1, 2, 3
), largest AS (
    SELECT c.key
      FROM cells AS c
     CROSS JOIN LATERAL (SELECT CASE :status::text WHEN 'completed' THEN c.completed WHEN 'failed' THEN c.failed
                                     ELSE c.completed + c.failed END AS requests) AS n
     GROUP BY c.key
     ORDER BY coalesce(sum(n.requests) FILTER (WHERE NOT c.is_before), 0) DESC, sum(n.requests) DESC, c.key COLLATE "C"
     LIMIT :most_groups
)
SELECT grouping(c.key) = 0 AS of_group, c.is_before, c.bucket, c.key,
       sum(c.completed) AS completed, sum(c.failed) AS failed, sum(c.tokens_used) AS tokens_used,
       sum(c.tokens_input) AS tokens_input, sum(c.tokens_output) AS tokens_output, sum(c.tokens_cached) AS tokens_cached,
       sum(c.tokens_cache_write) AS tokens_cache_write, sum(c.tokens_reasoning) AS tokens_reasoning,
       sum(c.cost_nanos) AS cost_nanos, sum(c.unpriced) AS unpriced, sum(c.timed) AS timed,
       sum(c.duration_ms) AS duration_ms, sum(c.rated) AS rated, sum(c.rating) AS rating,
       tk_percentiles(tk_latencies_total(c.latencies), '{0.5, 0.95, 0.99}') AS percentiles
  FROM cells AS c
 GROUP BY GROUPING SETS ((c.is_before), (c.is_before, c.bucket), (c.is_before, c.key))
 UNION ALL
SELECT true, c.is_before, c.bucket, c.key, c.completed, c.failed, c.tokens_used, c.tokens_input, c.tokens_output,
       c.tokens_cached, c.tokens_cache_write, c.tokens_reasoning, c.cost_nanos, c.unpriced, c.timed, c.duration_ms,
       c.rated, c.rating, NULL
  FROM cells AS c
 WHERE :group_by IS NOT NULL AND NOT c.is_before AND c.key IN (SELECT l.key FROM largest AS l);

-- name: top_users
-- Who has most of one measure in a range of days, each user's days being those of their own zone. For the operator.
WITH summed AS (
    SELECT r.user_id, sum(r.completed) AS completed, sum(r.failed) AS failed, sum(r.tokens_used) AS tokens_used,
           sum(r.tokens_input) AS tokens_input, sum(r.tokens_output) AS tokens_output,
           sum(r.tokens_cached) AS tokens_cached, sum(r.tokens_cache_write) AS tokens_cache_write,
           sum(r.tokens_reasoning) AS tokens_reasoning, sum(r.cost_nanos) AS cost_nanos, sum(r.unpriced) AS unpriced,
           sum(r.timed) AS timed, sum(r.duration_ms) AS duration_ms, sum(r.rated) AS rated, sum(r.rating) AS rating
      FROM usage_rollups AS r
     -- As the index has it, which is there for this alone.
     WHERE r.period = 'day' AND r.period_start::date >= :since::timestamp::date AND r.period_start::date < :until::timestamp::date
     GROUP BY r.user_id
), top AS (
    SELECT s.*, row_number() OVER (ORDER BY m.measure DESC NULLS LAST, s.completed + s.failed DESC, s.user_id) AS place
      FROM summed AS s
     CROSS JOIN LATERAL (SELECT CASE :by::text WHEN 'requests' THEN s.completed + s.failed WHEN 'failed' THEN s.failed
                                     WHEN 'tokensUsed' THEN s.tokens_used WHEN 'cost' THEN s.cost_nanos
                                     WHEN 'unpriced' THEN s.unpriced
                                     WHEN 'averageDuration' THEN s.duration_ms / nullif(s.timed, 0) END AS measure) AS m
     WHERE s.completed + s.failed > 0
     ORDER BY place
     LIMIT :most
)
SELECT t.*, d.email, d.name, d.plan,
       (SELECT tk_percentiles(tk_latencies_total(r.latencies), '{0.5, 0.95, 0.99}')
          FROM usage_rollups AS r
         WHERE r.user_id = t.user_id AND r.period = 'day' AND r.period_start >= :since AND r.period_start < :until)
       AS percentiles
  FROM top AS t
  -- Each by its key, as in the directory's own pages.
 CROSS JOIN LATERAL (SELECT v.email, v.name, v.plan FROM directory AS v WHERE v.id = t.user_id LIMIT 1) AS d
 ORDER BY t.place;
