-- name: dashboard^
-- All numbers of one user's dashboard, of one instant: the usage row, the rollups, what is pending, the newest ten.
WITH unfinished AS MATERIALIZED (
    SELECT r.model, r.category, r.request_type, r.started_on
      FROM chat_requests AS r
     WHERE r.user_id = :user_id AND r.status = 'pending'
), ever AS MATERIALIZED (
    SELECT r.model, r.category, r.request_type, r.completed + r.failed AS requests, r.latencies
      FROM usage_rollups AS r
     WHERE r.user_id = :user_id AND r.period = 'all'
     UNION ALL
    SELECT coalesce(p.model, ''), coalesce(p.category, ''), p.request_type, 1, '{}'
      FROM unfinished AS p
), daily AS (
    SELECT r.period_start::date AS day_on, r.completed + r.failed AS requests, r.failed, r.tokens_used, r.cost_nanos
      FROM usage_rollups AS r
     WHERE r.user_id = :user_id AND r.period = 'day'
       AND r.period_start > (SELECT w.day_on - :days::int FROM usage AS w WHERE w.user_id = :user_id)
     UNION ALL
    SELECT p.started_on, 1, 0, 0, 0
      FROM unfinished AS p
)
SELECT u.user_id, i.shown_as AS email, a.name, u.plan_expires_at, coalesce(u.next_zone, u.day_zone) AS time_zone,
       u.due_at <= tk_now() AS is_due,
       tk_limits(u.version, u.day_requests, u.month_requests, u.month_tokens + u.reserved_tokens,
                 u.month_cost_nanos + u.reserved_nanos, u) AS limits,
       u.total_requests, u.total_completed, u.total_failed, u.total_tokens_used, u.total_cost_nanos, u.total_unpriced,
       u.total_timed, u.total_duration_ms, u.total_rated, u.total_rating, u.day_requests, u.month_requests,
       u.last_calculated_at,
       (SELECT count(*) FROM unfinished) AS pending,
       (SELECT jsonb_object_agg(e.name, e.requests)
          FROM (SELECT coalesce(nullif(category, ''), 'uncategorized') AS name, sum(requests) AS requests
                  FROM ever GROUP BY 1 HAVING sum(requests) > 0) AS e) AS by_category,
       (SELECT jsonb_object_agg(e.name, e.requests)
          FROM (SELECT coalesce(nullif(model, ''), 'unknown') AS name, sum(requests) AS requests
                  FROM ever GROUP BY 1 HAVING sum(requests) > 0) AS e) AS by_model,
       (SELECT jsonb_object_agg(e.name, e.requests)
          FROM (SELECT request_type AS name, sum(requests) AS requests
                  FROM ever GROUP BY 1 HAVING sum(requests) > 0) AS e) AS by_type,
       (SELECT tk_percentiles(tk_latencies_total(e.latencies), '{0.5, 0.95, 0.99}') FROM ever AS e) AS percentiles,
       (SELECT jsonb_agg(jsonb_build_array(d.day_on, d.requests, d.failed, d.tokens_used, d.cost_nanos) ORDER BY d.day_on)
          FROM (SELECT g.day_on::date AS day_on, coalesce(sum(d.requests), 0) AS requests, coalesce(sum(d.failed), 0) AS failed,
                       coalesce(sum(d.tokens_used), 0) AS tokens_used, coalesce(sum(d.cost_nanos), 0) AS cost_nanos
                  FROM generate_series(u.day_on - (:days::int - 1), u.day_on, interval '1 day') AS g (day_on)
                  LEFT JOIN daily AS d ON d.day_on = g.day_on::date
                 GROUP BY 1) AS d) AS series,
       ARRAY(SELECT s FROM requests_shown AS s WHERE s.user_id = :user_id ORDER BY s.id DESC LIMIT :newest) AS newest
  FROM usage AS u
  JOIN accounts AS a ON a.id = u.user_id
  LEFT JOIN user_identities AS i ON i.user_id = u.user_id AND i.kind = 'email'
 WHERE u.user_id = :user_id;
