-- What operators see of all users.

CREATE OR REPLACE VIEW directory AS
SELECT a.id, i.shown_as AS email, a.name, p.plan, CASE WHEN p.expired THEN NULL ELSE u.plan_expires_at END AS plan_expires_at,
       u.is_active, a.role, coalesce(u.next_zone, u.day_zone) AS time_zone, a.created_at,
       -- Written with every start, finish and rating; not with what expires or is priced anew.
       CASE WHEN u.total_requests > 0 THEN u.updated_at END AS last_active_at,
       CASE WHEN u.day_ends_at <= p.now THEN 0 ELSE u.day_requests END AS requests_today,
       s.seen[1] AS requests_this_month, s.seen[2] AS monthly_limit, s.seen[3] AS daily_limit,
       u.total_requests, u.total_tokens_used, u.total_cost_nanos, a.note,
       i.value AS address, u.total_unpriced
  FROM accounts AS a
  JOIN usage AS u ON u.user_id = a.id
  CROSS JOIN LATERAL (SELECT e.now, e.expired, CASE WHEN e.expired THEN coalesce(u.next_plan, 'free') ELSE u.plan_name END AS plan
                        FROM (SELECT n.now, coalesce(u.plan_expires_at <= n.now, false) AS expired
                                FROM (SELECT tk_now() AS now) AS n) AS e) AS p
  CROSS JOIN LATERAL (SELECT tk_seen(u, p.now) AS seen) AS s
  LEFT JOIN user_identities AS i ON i.user_id = a.id AND i.kind = 'email';
COMMENT ON VIEW directory IS 'Every user as operators see them; plan and windows are computed on reading.';

CREATE OR REPLACE FUNCTION tk_finds(p_text text, p_id uuid, p_address text, p_name text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    -- Whether a text leads to a user; null leads to everybody. It is looked for as it is, so that no character of it is
    -- a wildcard: in the address and the name whatever their case, or it is the id.
    SELECT p_text IS NULL OR strpos(lower(p_address), lower(p_text)) > 0 OR strpos(lower(p_name), lower(p_text)) > 0
           OR p_id::text = lower(p_text)
    $$;

CREATE OR REPLACE FUNCTION tk_overall_measures(p_from timestamptz, p_to timestamptz) RETURNS jsonb
    LANGUAGE sql STABLE
    AS $$
    -- Sums over all users of whole hours of UTC.
    SELECT jsonb_build_object(
               'completed', coalesce(sum(r.completed), 0), 'failed', coalesce(sum(r.failed), 0),
               'tokens_used', coalesce(sum(r.tokens_used), 0), 'tokens_input', coalesce(sum(r.tokens_input), 0),
               'tokens_output', coalesce(sum(r.tokens_output), 0), 'tokens_cached', coalesce(sum(r.tokens_cached), 0),
               'tokens_cache_write', coalesce(sum(r.tokens_cache_write), 0),
               'tokens_reasoning', coalesce(sum(r.tokens_reasoning), 0), 'cost_nanos', coalesce(sum(r.cost_nanos), 0),
               'unpriced', coalesce(sum(r.unpriced), 0), 'timed', coalesce(sum(r.timed), 0),
               'duration_ms', coalesce(sum(r.duration_ms), 0), 'rated', coalesce(sum(r.rated), 0),
               'rating', coalesce(sum(r.rating), 0),
               'percentiles', tk_percentiles(tk_latencies_total(r.latencies), '{0.5, 0.95, 0.99}'))
      FROM overall_rollups AS r
     WHERE r.hour_at >= p_from AND r.hour_at < p_to
    $$;
