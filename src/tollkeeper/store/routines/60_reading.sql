-- What readers see, of whom nothing is brought current: all that has ended is counted in, met by somebody or not.

CREATE OR REPLACE FUNCTION tk_lived_through(u usage, p_now timestamptz) RETURNS bigint[]
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    v_moves_at   timestamptz := tk_zone_moves_at(u);
    v_zone       text := u.day_zone;
    v_at         timestamptz;
    v_month      record;
    v_plan       plan_versions;    -- in force
    v_used       bigint := u.month_requests;
    v_rolled     bigint := 0;      -- what the last month that ended left, and until when
    v_rolls_till timestamptz := '-infinity';
BEGIN
    -- The requests of the month around an instant, how many it allows, and how many its day does: what tk_live_through would
    -- leave on the row. For one of whom something has ended; in a function it is made ready for those alone.
    SELECT v.* INTO v_plan
      FROM plan_terms AS t JOIN plan_versions AS v ON v.plan_name = t.plan_name AND v.version = t.plan_version
     WHERE t.user_id = u.user_id AND t.id = u.plan_terms_id;
    FOR v_at IN SELECT DISTINCT e.at FROM unnest(ARRAY[v_moves_at, u.plan_expires_at, p_now]) AS e (at) WHERE e.at <= p_now ORDER BY e.at LOOP
        -- Of the months that have ended by then the last one alone leaves something.
        IF u.month_ends_at < v_at THEN
            SELECT greatest(u.month_ends_at, q.starts_at) AS starts_at, q.ends_at INTO v_month
              FROM tk_month_of(u.month_anchor, v_zone, v_at - interval '1 microsecond') AS q;
            IF v_month.starts_at > u.month_ends_at THEN
                v_used := 0;
            END IF;
            v_rolled := tk_rolled(u.user_id, v_plan, v_used, v_month.starts_at);
            v_used := 0;
            u.month_ends_at := v_month.ends_at;
            u.month_zone := v_zone;
            v_rolls_till := v_month.ends_at;
        END IF;
        IF u.month_ends_at = v_at THEN
            v_rolled := tk_rolled(u.user_id, v_plan, v_used, v_at);
        END IF;
        IF u.plan_expires_at = v_at THEN
            SELECT v.* INTO v_plan
              FROM plan_versions AS v
             WHERE v.plan_name = coalesce(u.next_plan, 'free') AND v.version = tk_version_at(v.plan_name, v_at);
            u.month_anchor := CASE WHEN v_plan.period = 'anniversary' THEN v_at END;
            IF u.month_anchor IS NOT NULL THEN
                u.month_ends_at := (SELECT q.ends_at FROM tk_period_of(u.month_anchor, 1, u.month_zone,
                                                                       u.month_ends_at - interval '1 microsecond') AS q);
            END IF;
        END IF;
        IF v_moves_at = v_at THEN
            v_zone := u.next_zone;
        END IF;
        IF u.month_ends_at = v_at THEN
            v_used := 0;
            u.month_ends_at := (SELECT q.ends_at FROM tk_month_of(u.month_anchor, v_zone, v_at) AS q);
            u.month_zone := v_zone;
            v_rolls_till := u.month_ends_at;
        END IF;
    END LOOP;
    RETURN (SELECT ARRAY[v_used,
                         tk_limit(o.limits, 'monthly_requests', v_plan.monthly_requests) + g.granted
                         + CASE WHEN v_rolls_till = '-infinity' THEN u.burned_requests + g.burning
                                WHEN v_rolls_till > p_now THEN v_rolled ELSE 0 END,
                         tk_limit(o.limits, 'daily_requests', v_plan.daily_requests)]
              FROM tk_overrides(u.user_id, p_now) AS o
              CROSS JOIN (SELECT coalesce(sum(b.units), 0)::bigint AS burning,
                                 coalesce(sum(x.amount - x.burned - coalesce(b.units, 0)) FILTER (WHERE x.expires_at > p_now), 0)::bigint AS granted
                            FROM grants AS x
                            LEFT JOIN tk_burning(u.user_id) AS b ON b.id = x.id
                           WHERE x.user_id = u.user_id AND x.unit = 'requests' AND x.ended_at IS NULL) AS g);
END
    $$;

CREATE OR REPLACE FUNCTION tk_rolled(p_user uuid, p_plan plan_versions, p_used bigint, p_ends_at timestamptz) RETURNS bigint
    LANGUAGE sql STABLE
    AS $$
    -- How many requests a month leaves to the next one under a plan, as it is overridden when the month ends.
    SELECT greatest((tk_limit(o.limits, 'monthly_requests', p_plan.monthly_requests) - p_used) * p_plan.rollover_percent / 100, 0)
      FROM tk_overrides(p_user, p_ends_at - interval '1 microsecond') AS o
    $$;

CREATE OR REPLACE FUNCTION tk_seen(u usage, p_now timestamptz) RETURNS bigint[]
    LANGUAGE sql STABLE
    AS $$
    -- The same of anybody: most often what is on the row, if not for the end of a month that leaves nothing behind.
    SELECT CASE WHEN least(u.plan_expires_at, u.terms_due_at, CASE WHEN tk_months_matter(u) THEN u.month_ends_at END) > p_now
                THEN ARRAY[CASE WHEN u.month_ends_at <= p_now THEN 0 ELSE u.month_requests END,
                           u.monthly_requests + u.extra_requests, u.daily_requests]
                ELSE tk_lived_through(u, p_now) END
    $$;

CREATE OR REPLACE VIEW users AS
SELECT a.id, i.shown_as AS email, a.name, a.image, g.value AS github_id, a.last_login_at, a.created_at,
       greatest(a.updated_at, u.terms_at) AS updated_at,
       CASE WHEN p.expired THEN coalesce(u.next_plan, 'free') ELSE u.plan_name END AS plan,
       CASE WHEN p.expired THEN NULL ELSE u.plan_expires_at END AS plan_expires_at,
       m.seen[1] AS requests_used, m.seen[2] AS requests_limit,
       u.is_active, a.role,
       coalesce(u.next_zone, u.day_zone) AS time_zone
  FROM accounts AS a
  JOIN usage AS u ON u.user_id = a.id
  CROSS JOIN LATERAL (SELECT n.now, coalesce(u.plan_expires_at <= n.now, false) AS expired
                        FROM (SELECT tk_now() AS now) AS n) AS p
  CROSS JOIN LATERAL (SELECT tk_seen(u, p.now) AS seen) AS m
  LEFT JOIN user_identities AS i ON i.user_id = a.id AND i.kind = 'email'
  LEFT JOIN user_identities AS g ON g.user_id = a.id AND g.kind = 'github';

-- As it was called before.
DROP FUNCTION IF EXISTS tk_month_seen(usage, timestamptz);

CREATE OR REPLACE VIEW user_dashboard_data AS
SELECT u.user_id AS id, u.user_id, u.total_requests, u.total_tokens_used,
       tk_whole_cents(u.total_cost_nanos) AS total_cost,
       (u.total_duration_ms * 2 + u.total_timed) / nullif(u.total_timed * 2, 0) AS average_response_time,
       (SELECT coalesce(jsonb_object_agg(c.category, c.requests), '{}')
          FROM (SELECT s.category, sum(s.requests) AS requests
                  FROM (SELECT coalesce(nullif(r.category, ''), 'uncategorized') AS category, r.completed + r.failed AS requests
                          FROM usage_rollups AS r
                         WHERE r.user_id = u.user_id AND r.period = 'all'
                         UNION ALL
                        SELECT coalesce(q.category, 'uncategorized'), 1
                          FROM chat_requests AS q
                         WHERE q.user_id = u.user_id AND q.status = 'pending') AS s
                 GROUP BY s.category
                HAVING sum(s.requests) <> 0) AS c) AS requests_by_category,
       (tk_seen(u, tk_now()))[1] AS requests_this_month,
       CASE WHEN u.day_ends_at <= tk_now() THEN 0 ELSE u.day_requests END AS requests_today,
       u.last_calculated_at, u.created_at, u.updated_at, u.total_cost_nanos
  FROM usage AS u;

CREATE OR REPLACE VIEW user_plans AS
SELECT t.id, t.user_id, t.plan_name, v.monthly_requests, v.daily_requests, v.max_tokens_per_request, v.features,
       (t.id = u.plan_terms_id AND (t.expires_at IS NULL OR t.expires_at > n.now)) AS is_active,
       v.price_per_month, t.billing_cycle, t.starts_at, t.expires_at, t.created_at, t.updated_at,
       v.monthly_tokens, v.monthly_cost_nanos, t.ended_at, t.plan_version, t.kind, t.is_trial, t.next_plan
  FROM plan_terms AS t
  JOIN usage AS u ON u.user_id = t.user_id
  JOIN plan_versions AS v ON v.plan_name = t.plan_name AND v.version = t.plan_version
  CROSS JOIN (SELECT tk_now() AS now) AS n
 UNION ALL
-- What follows the terms that have ended, until somebody meets their end and writes it down under an id of its own.
SELECT tk_first_uuid7(t.expires_at), t.user_id, v.plan_name, v.monthly_requests, v.daily_requests, v.max_tokens_per_request,
       v.features, true, v.price_per_month, coalesce(t.next_cycle, v.billing_cycle), t.expires_at, NULL, t.expires_at, t.expires_at,
       v.monthly_tokens, v.monthly_cost_nanos, NULL, v.version, tk_kind_of_next(t), false, NULL::varchar(50)
  FROM usage AS u
  JOIN plan_terms AS t ON t.user_id = u.user_id AND t.id = u.plan_terms_id
  JOIN plan_versions AS v ON v.plan_name = coalesce(t.next_plan, 'free') AND v.version = tk_version_at(v.plan_name, t.expires_at)
 WHERE t.expires_at <= tk_now();

CREATE OR REPLACE FUNCTION tk_bytes_of_texts(p_prompt text, p_response text, p_error text) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    -- How long a text is stands where it is kept: none of them is read for it.
    AS $$ SELECT coalesce(octet_length(p_prompt), 0)::bigint + coalesce(octet_length(p_response), 0) + coalesce(octet_length(p_error), 0) $$;

-- A pending request past its deadline is shown as expired, swept or not.

CREATE OR REPLACE VIEW requests_shown AS
SELECT r.user_id, r.id, r.client_id, r.session_id, r.prompt, r.response, r.model, r.request_type, r.category, r.complexity,
       CASE WHEN e.expired THEN 'failed' ELSE r.status END AS status,
       r.error_message,
       CASE WHEN e.expired THEN 'expired' ELSE r.error_code END AS error_code,
       r.late, r.refunded, r.outside_plan, r.over_reserved,
       r.tokens_used, a.tokens_input, a.tokens_output, a.tokens_cached, a.tokens_cache_write, a.tokens_reasoning,
       r.cost_nanos, r.cost_source, r.reported_nanos, r.computed_nanos, r.unit_prices, r.duration AS duration_ms,
       a.user_rating AS rating, r.plan_name, r.max_tokens, r.metadata, r.ip_address, r.user_agent,
       r.started_on, r.started_at, r.expires_at,
       CASE WHEN e.expired THEN r.expires_at ELSE r.completed_at END AS completed_at,
       r.created_at
  FROM chat_requests AS r
  CROSS JOIN LATERAL (SELECT r.status = 'pending' AND r.expires_at <= tk_now() AS expired) AS e
  -- By its key, once for each request that is read: with a limit no plan can sort all analytics of a user instead.
  LEFT JOIN LATERAL (SELECT n.* FROM request_analytics AS n
                      WHERE n.user_id = r.user_id AND n.id = r.id LIMIT 1) AS a ON true;

CREATE OR REPLACE VIEW requests_in_short AS
SELECT s.user_id, s.id, s.client_id, s.session_id, CASE WHEN NOT t.go THEN left(s.prompt, 200) END AS prompt,
       CASE WHEN NOT t.go THEN left(s.response, 200) END AS response, s.model, s.request_type, s.category, s.complexity, s.status,
       CASE WHEN NOT t.go THEN s.error_message END AS error_message, s.error_code, s.late, s.refunded, s.outside_plan,
       s.over_reserved, s.tokens_used, s.tokens_input, s.tokens_output, s.tokens_cached, s.tokens_cache_write,
       s.tokens_reasoning, s.cost_nanos, s.cost_source, s.reported_nanos, s.computed_nanos, s.unit_prices, s.duration_ms,
       s.rating, s.plan_name, s.max_tokens, CASE WHEN NOT t.go THEN s.metadata END AS metadata,
       CASE WHEN NOT t.go THEN s.ip_address END AS ip_address, CASE WHEN NOT t.go THEN s.user_agent END AS user_agent,
       s.started_on, s.started_at, s.expires_at, s.completed_at, s.created_at
  FROM requests_shown AS s
  -- Whether its texts are to be cleared, as tk_clear_texts looks for them; once for each request that is read.
  CROSS JOIN LATERAL (SELECT coalesce(s.id < tk_first_uuid7(greatest(
                                 r.texts_refused_from,
                                 (SELECT p.texts_refused_from FROM plan_texts AS p WHERE p.plan_name = s.plan_name))), false) AS go
                        FROM retention AS r LIMIT 1) AS t;
COMMENT ON VIEW requests_in_short IS 'As requests_shown, of long texts the beginning: a megabyte is not read to show a line. No text that is to be cleared: so a dashboard changes when a clearing begins, and not with each row.';

CREATE OR REPLACE VIEW dashboard_stamps AS
SELECT u.user_id, u.due_at <= tk_now() AS is_due,
       -- Each by its key: joined, a plan made on empty tables walks all accounts.
       concat_ws('.', u.xmin, (SELECT a.xmin FROM accounts AS a WHERE a.id = u.user_id),
                 (SELECT i.xmin FROM user_identities AS i WHERE i.user_id = u.user_id AND i.kind = 'email'),
                 (SELECT t.xmin FROM retention AS t)) AS stamp
  FROM usage AS u;
COMMENT ON VIEW dashboard_stamps IS 'Which transactions wrote last what a dashboard shows: while a stamp is the same, so is the dashboard, until it is due.';

CREATE OR REPLACE FUNCTION tk_percentiles(p_latencies bigint[], p_ranks numeric[]) RETURNS numeric[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
    -- Nearest rank: the first bucket at which the share of all requests is reached. The ranks ascend.
    v_total bigint := (SELECT sum(l.requests) FROM unnest(p_latencies) AS l (requests));
    v_found numeric[] := array_fill(NULL::numeric, ARRAY[cardinality(p_ranks)]);
    v_upto  bigint := 0;
    v_rank  integer := 1;
BEGIN
    FOR b IN coalesce(array_lower(p_latencies, 1), 0) .. coalesce(array_upper(p_latencies, 1), -1) LOOP
        CONTINUE WHEN p_latencies[b] IS NULL OR p_latencies[b] = 0;
        v_upto := v_upto + p_latencies[b];
        WHILE v_rank <= cardinality(p_ranks) AND v_upto >= ceil(p_ranks[v_rank] * v_total) LOOP
            v_found[v_rank] := tk_latency_ms(b);
            v_rank := v_rank + 1;
        END LOOP;
    END LOOP;
    RETURN v_found;
END
    $$;

CREATE OR REPLACE AGGREGATE tk_latencies_total(bigint[]) (SFUNC = tk_latencies_sum, STYPE = bigint[], INITCOND = '{}');
