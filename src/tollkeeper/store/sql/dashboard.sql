-- name: dashboard^
-- All numbers of one user's dashboard, of one instant: the usage row, the rollups, what is pending, the newest ten.
WITH unfinished AS MATERIALIZED (
    SELECT r.model, r.category, r.request_type, r.started_on
      FROM chat_requests AS r
     WHERE r.user_id = :user_id AND r.status = 'pending'
       -- Each month's partition would have to be asked, so none is where the sums say that nothing is pending.
       AND (SELECT w.total_requests > w.total_completed + w.total_failed FROM usage AS w WHERE w.user_id = :user_id)
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
       s.is_due, s.stamp,
       tk_limits(u.version, u.day_requests, u.month_requests, u.month_tokens + u.reserved_tokens,
                 u.month_cost_nanos + u.reserved_nanos, u.pending_requests, u) AS limits,
       u.total_requests, u.total_completed, u.total_failed, u.total_tokens_used, u.total_cost_nanos, u.total_unpriced,
       u.total_timed, u.total_duration_ms, u.total_rated, u.total_rating, u.day_requests, u.month_requests,
       u.last_calculated_at, u.day_on,
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
       (SELECT jsonb_object_agg(d.day_on, jsonb_build_array(d.requests, d.failed, d.tokens_used, d.cost_nanos))
          FROM (SELECT day_on, sum(requests) AS requests, sum(failed) AS failed, sum(tokens_used) AS tokens_used,
                       sum(cost_nanos) AS cost_nanos
                  FROM daily GROUP BY day_on) AS d) AS series,
       ARRAY(SELECT s FROM requests_in_short AS s WHERE s.user_id = :user_id ORDER BY s.id DESC LIMIT :newest) AS newest
  FROM usage AS u
  JOIN dashboard_stamps AS s ON s.user_id = u.user_id
  JOIN accounts AS a ON a.id = u.user_id
  LEFT JOIN user_identities AS i ON i.user_id = u.user_id AND i.kind = 'email'
 WHERE u.user_id = :user_id AND s.user_id = :user_id;

-- name: dashboard_stamps
-- Of some users what tells whether their dashboards are still the same; of those who are due nothing.
SELECT s.user_id, s.stamp
  FROM dashboard_stamps AS s
 WHERE s.user_id = ANY (:user_ids::uuid[]) AND NOT s.is_due;
