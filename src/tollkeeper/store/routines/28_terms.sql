-- Terms: what a user's plan allows, what is excepted from it for a time, and what is granted beyond it.

-- As they were called before.
DROP FUNCTION IF EXISTS tk_take_terms(uuid, uuid);
DROP FUNCTION IF EXISTS tk_new_terms(uuid, text, timestamptz, timestamptz);
DROP FUNCTION IF EXISTS tk_new_terms(uuid, text, text, timestamptz, timestamptz, text, boolean, timestamptz);
-- It answered less.
DROP FUNCTION IF EXISTS tk_terms_in_force(uuid, uuid, timestamptz);

CREATE OR REPLACE FUNCTION tk_months_after(p_anchor timestamptz, p_months integer, p_zone text) RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- The anchor's day and hour in another month, or that month's last day where it has no such day. Counted from the
    -- anchor and never from the month before, so the 31st comes back after February. The anchor itself is not read off
    -- the clocks, for it may be the earlier of two instants at which they show the same.
    SELECT CASE p_months WHEN 0 THEN p_anchor
                ELSE ((p_anchor AT TIME ZONE p_zone) + make_interval(months => p_months)) AT TIME ZONE p_zone END
    $$;

CREATE OR REPLACE FUNCTION tk_period_of(p_anchor timestamptz, p_months integer, p_zone text, p_at timestamptz)
    RETURNS TABLE (starts_at timestamptz, ends_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- The period of so many months around an instant, half-open, counted from an anchor.
    SELECT tk_months_after(p_anchor, p_months * f.periods, p_zone),
           tk_months_after(p_anchor, p_months * (f.periods + 1), p_zone)
      FROM (SELECT floor((extract(year FROM l.at) - extract(year FROM l.anchor)) * 12
                          + extract(month FROM l.at) - extract(month FROM l.anchor))::integer AS months
              FROM (SELECT p_at AT TIME ZONE p_zone AS at, p_anchor AT TIME ZONE p_zone AS anchor) AS l) AS m
      CROSS JOIN LATERAL (SELECT floor(m.months::numeric / p_months)::integer AS guess) AS g
      -- In the anchor's own month of the year it has begun or it has not.
      CROSS JOIN LATERAL (SELECT g.guess - (tk_months_after(p_anchor, p_months * g.guess, p_zone) > p_at)::integer AS periods) AS f
    $$;

CREATE OR REPLACE FUNCTION tk_is_running(p_status text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    -- Whether a subscription at Stripe is one that has not ended, paid for right now or not.
    SELECT p_status IN ('trialing', 'active', 'past_due', 'unpaid', 'paused')
    $$;

CREATE OR REPLACE FUNCTION tk_limit(p_overrides jsonb, p_limit text, p_of_plan bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN p_overrides ? p_limit THEN (p_overrides ->> p_limit)::bigint ELSE p_of_plan END $$;

CREATE OR REPLACE FUNCTION tk_overrides(p_user uuid, p_at timestamptz) RETURNS TABLE (limits jsonb, due_at timestamptz)
    LANGUAGE sql STABLE ROWS 1
    AS $$
    -- The limits that are overridden at an instant, the newest counting, and when the first of the overrides ends.
    SELECT coalesce(jsonb_object_agg(l.key, l.value ORDER BY e.id), '{}'), min(e.ends_at)
      FROM plan_overrides AS e CROSS JOIN LATERAL jsonb_each(e.limits) AS l
     WHERE e.user_id = p_user AND e.starts_at <= p_at AND coalesce(e.ended_at, e.ends_at, 'infinity') > p_at
    $$;

CREATE OR REPLACE FUNCTION tk_terms_in_force(p_user uuid, p_terms uuid, p_at timestamptz) RETURNS TABLE (
    plan_name              text,
    expires_at             timestamptz,
    next_plan              text,
    daily_requests         bigint,
    monthly_requests       bigint,
    max_tokens_per_request bigint,
    monthly_tokens         bigint,
    monthly_cost_nanos     bigint,
    requests_per_minute    bigint,
    concurrent_requests    bigint,
    features               text[],
    refunds                boolean,
    rollover_percent       smallint,
    month_anchor           timestamptz,
    left_requests          bigint,
    left_tokens            bigint,
    left_nanos             bigint,
    warn_at                smallint[],
    due_at                 timestamptz
)
    LANGUAGE sql STABLE
    AS $$
    -- What the usage row must say of a user's terms at an instant. Grants count as they are settled.
    SELECT t.plan_name, t.expires_at, t.next_plan,
           tk_limit(o.limits, 'daily_requests', v.daily_requests),
           tk_limit(o.limits, 'monthly_requests', v.monthly_requests),
           tk_limit(o.limits, 'max_tokens_per_request', v.max_tokens_per_request),
           tk_limit(o.limits, 'monthly_tokens', v.monthly_tokens),
           tk_limit(o.limits, 'monthly_cost_nanos', v.monthly_cost_nanos),
           tk_limit(o.limits, 'requests_per_minute', v.requests_per_minute),
           tk_limit(o.limits, 'concurrent_requests', v.concurrent_requests),
           ARRAY(SELECT jsonb_array_elements_text(v.features)),
           v.refund <> 'never', v.rollover_percent,
           CASE WHEN v.period = 'anniversary' THEN t.anchored_at END,
           g.requests, g.tokens, g.nanos, v.warn_at, least(o.due_at, g.due_at, 'infinity')
      FROM plan_terms AS t
      JOIN plan_versions AS v ON v.plan_name = t.plan_name AND v.version = t.plan_version
      CROSS JOIN tk_overrides(p_user, p_at) AS o
      CROSS JOIN (SELECT coalesce(sum(n.amount - n.burned) FILTER (WHERE n.unit = 'requests'), 0)::bigint AS requests,
                         coalesce(sum(n.amount - n.burned) FILTER (WHERE n.unit = 'tokens'), 0)::bigint AS tokens,
                         coalesce(sum(n.amount - n.burned) FILTER (WHERE n.unit = 'cost'), 0)::bigint AS nanos,
                         min(n.expires_at) AS due_at
                    FROM grants AS n
                   -- Of what this month has burned something may be given back until it expires.
                   WHERE n.user_id = p_user AND (n.burned < n.amount OR n.burned > n.burned_before)
                     AND coalesce(n.ended_at, n.expires_at) > p_at) AS g
     WHERE t.user_id = p_user AND t.id = p_terms
    $$;

CREATE OR REPLACE FUNCTION tk_burning(p_user uuid) RETURNS TABLE (id uuid, unit text, units bigint)
    LANGUAGE sql STABLE
    AS $$
    -- What is used beyond the allowance in force, and beyond what allowances before it have covered, is being burned of
    -- grants: of which, and how much beside what is settled. Below 0 is given back, of those that were burned last, and last
    -- of all to those that are over: it goes with them.
    SELECT q.id, q.unit, (sign(q.units) * least(q.available, abs(q.units) - q.before))::bigint
      FROM (SELECT g.id, g.unit, b.units, a.available,
                   CASE WHEN b.units > 0 THEN sum(a.available) OVER up ELSE sum(a.available) OVER down END
                   - a.available AS before
              FROM usage AS u
              CROSS JOIN LATERAL (VALUES
                  ('requests', u.month_requests, u.monthly_requests, u.covered_requests, u.burned_requests),
                  ('tokens', u.month_tokens + u.reserved_tokens, u.monthly_tokens, u.covered_tokens, u.burned_tokens),
                  ('cost', u.month_cost_nanos + u.reserved_nanos, u.monthly_cost_nanos, u.covered_nanos, u.burned_nanos))
                  AS w (unit, used, allowed, covered, burned)
              -- Where nothing limits the month nothing is beyond it.
              CROSS JOIN LATERAL (SELECT CASE WHEN w.allowed IS NULL THEN 0
                                              ELSE greatest(w.used - greatest(w.allowed, w.covered), 0) END - w.burned AS units) AS b
              JOIN grants AS g ON g.unit = w.unit
              CROSS JOIN LATERAL (SELECT CASE WHEN b.units > 0 THEN g.amount - g.burned
                                              ELSE g.burned - g.burned_before END AS available) AS a
             WHERE u.user_id = p_user AND g.user_id = p_user AND (g.ended_at IS NULL OR b.units < 0) AND a.available > 0
               AND g.created_at <= u.terms_at   -- a new one burns nothing that was used before it
            WINDOW up AS (PARTITION BY g.unit ORDER BY g.priority, g.expires_at, g.id),
                   down AS (PARTITION BY g.unit
                            ORDER BY g.ended_at IS NULL DESC, g.priority DESC, g.expires_at DESC, g.id DESC)) AS q
     WHERE abs(q.units) > q.before
    $$;

CREATE OR REPLACE FUNCTION tk_settle_grants(p_user uuid) RETURNS void
    LANGUAGE sql VOLATILE
    AS $$
    -- It is noted whenever the allowance or the month or the grants change; in between it follows from what is used, and
    -- no request has to write it.
    WITH burned AS (
        UPDATE grants AS g SET burned = g.burned + b.units
          FROM tk_burning(p_user) AS b
         WHERE g.user_id = p_user AND g.id = b.id
        RETURNING b.unit, b.units
    )
    UPDATE usage AS u
       SET burned_requests = u.burned_requests + s.requests,
           burned_tokens   = u.burned_tokens + s.tokens,
           burned_nanos    = u.burned_nanos + s.nanos
      FROM (SELECT coalesce(sum(b.units) FILTER (WHERE b.unit = 'requests'), 0) AS requests,
                   coalesce(sum(b.units) FILTER (WHERE b.unit = 'tokens'), 0) AS tokens,
                   coalesce(sum(b.units) FILTER (WHERE b.unit = 'cost'), 0) AS nanos,
                   count(*) AS grants
              FROM burned AS b) AS s
     WHERE u.user_id = p_user AND s.grants > 0
    $$;

CREATE OR REPLACE FUNCTION tk_take_with_ended(p_user uuid) RETURNS void
    LANGUAGE sql VOLATILE
    AS $$
    -- What was given back to grants that are over adds to the month no more.
    WITH taken AS (
        SELECT coalesce(sum(b.units) FILTER (WHERE b.unit = 'requests'), 0)::bigint AS requests,
               coalesce(sum(b.units) FILTER (WHERE b.unit = 'tokens'), 0)::bigint AS tokens,
               coalesce(sum(b.units) FILTER (WHERE b.unit = 'cost'), 0)::bigint AS nanos
          FROM tk_burning(p_user) AS b
          JOIN grants AS g ON g.user_id = p_user AND g.id = b.id
         WHERE g.ended_at IS NOT NULL
    )
    UPDATE usage AS u
       SET extra_requests = u.extra_requests + t.requests,
           extra_tokens   = u.extra_tokens + t.tokens,
           extra_nanos    = u.extra_nanos + t.nanos,
           warn_month_requests = tk_next_warning(0, u.monthly_requests + u.extra_requests + t.requests, u.warn_at),
           warn_month_tokens   = tk_next_warning(0, u.monthly_tokens + u.extra_tokens + t.tokens, u.warn_at),
           warn_month_nanos    = tk_next_warning(0, u.monthly_cost_nanos + u.extra_nanos + t.nanos, u.warn_at)
      FROM taken AS t
     WHERE u.user_id = p_user AND t.requests + t.tokens + t.nanos < 0;
    SELECT tk_settle_grants(p_user);
    $$;

CREATE OR REPLACE FUNCTION tk_over(p_user uuid) RETURNS bigint[]
    LANGUAGE sql STABLE
    AS $$
    -- What grants that are over have burned of the month, and beyond what: requests, tokens, nano-USD. In a function it is
    -- made ready for those alone who have settled any.
    SELECT ARRAY[coalesce(sum(g.burned - g.burned_before) FILTER (WHERE g.unit = 'requests'), 0)::bigint,
                 greatest(min(u.monthly_requests), min(u.covered_requests)),
                 coalesce(sum(g.burned - g.burned_before) FILTER (WHERE g.unit = 'tokens'), 0)::bigint,
                 greatest(min(u.monthly_tokens), min(u.covered_tokens)),
                 coalesce(sum(g.burned - g.burned_before) FILTER (WHERE g.unit = 'cost'), 0)::bigint,
                 greatest(min(u.monthly_cost_nanos), min(u.covered_nanos))]
      FROM usage AS u
      JOIN grants AS g ON g.user_id = u.user_id AND g.ended_at IS NOT NULL
     WHERE u.user_id = p_user
    $$;

CREATE OR REPLACE FUNCTION tk_limit_left(p_limit bigint, p_over bigint[], p_place integer, p_used bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    -- A limit of the month when so much is used: what is given back to grants that are over is taken off (`tk_over`).
    SELECT CASE WHEN p_over IS NULL THEN p_limit
                ELSE p_limit - greatest(p_over[p_place] - greatest(p_used - p_over[p_place + 1], 0), 0) END
    $$;

CREATE OR REPLACE FUNCTION tk_put_in_force(p_user uuid, p_terms uuid, p_at timestamptz) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_before uuid := (SELECT u.plan_terms_id FROM usage AS u WHERE u.user_id = p_user);
BEGIN
    -- The one place where limits reach the usage row. What was burned so far was burned under the limits so far.
    PERFORM tk_settle_grants(p_user);
    -- Nor does a user's time run back here: what began to hold would not, if the clock went back behind it.
    p_at := greatest(p_at, (SELECT u.terms_at FROM usage AS u WHERE u.user_id = p_user));
    UPDATE grants AS g SET ended_at = g.expires_at WHERE g.user_id = p_user AND g.ended_at IS NULL AND g.expires_at <= p_at;
    UPDATE usage AS u
       SET plan_name = f.plan_name, plan_terms_id = p_terms, plan_expires_at = f.expires_at, next_plan = f.next_plan,
           daily_requests = f.daily_requests, monthly_requests = f.monthly_requests,
           max_tokens_per_request = f.max_tokens_per_request,
           monthly_tokens = f.monthly_tokens, monthly_cost_nanos = f.monthly_cost_nanos,
           requests_per_minute = f.requests_per_minute, concurrent_requests = f.concurrent_requests,
           features = f.features, refunds = f.refunds, rollover_percent = f.rollover_percent,
           extra_requests = u.burned_requests + f.left_requests,
           extra_tokens = u.burned_tokens + f.left_tokens,
           extra_nanos = u.burned_nanos + f.left_nanos,
           covered_requests = greatest(u.month_requests - u.burned_requests, 0),
           covered_tokens = greatest(u.month_tokens + u.reserved_tokens - u.burned_tokens, 0),
           covered_nanos = greatest(u.month_cost_nanos + u.reserved_nanos - u.burned_nanos, 0),
           -- A month under way is never made shorter: it would be a way to a fresh allowance.
           month_ends_at = CASE WHEN f.month_anchor IS NULL OR f.month_anchor = u.month_anchor THEN u.month_ends_at
                                ELSE (SELECT m.ends_at FROM tk_period_of(f.month_anchor, 1, u.month_zone,
                                                                         u.month_ends_at - interval '1 microsecond') AS m) END,
           month_anchor = f.month_anchor,
           terms_at = p_at, terms_due_at = f.due_at,
           -- With the next use all is told that holds then and was not told before.
           warn_at = w.warn_at,
           warn_day_requests = tk_next_warning(0, f.daily_requests, w.warn_at),
           warn_month_requests = tk_next_warning(0, f.monthly_requests + u.burned_requests + f.left_requests, w.warn_at),
           warn_month_tokens = tk_next_warning(0, f.monthly_tokens + u.burned_tokens + f.left_tokens, w.warn_at),
           warn_month_nanos = tk_next_warning(0, f.monthly_cost_nanos + u.burned_nanos + f.left_nanos, w.warn_at),
           expiring_at = w.expiring_at,
           due_at = least(u.due_at, f.expires_at, f.due_at, w.expiring_at),
           version = u.version + 1
      FROM tk_terms_in_force(p_user, p_terms, p_at) AS f
      JOIN usage AS o ON o.user_id = p_user
      -- Three days before a plan ends its user is told, unless the same plan follows.
      CROSS JOIN LATERAL (SELECT coalesce(o.own_warn_at, f.warn_at) AS warn_at,
                                 CASE WHEN f.expires_at - interval '3 days' > p_at
                                       AND f.next_plan IS DISTINCT FROM f.plan_name
                                      THEN f.expires_at - interval '3 days' END AS expiring_at) AS w
     WHERE u.user_id = p_user;
    IF FOUND AND v_before <> p_terms THEN
        PERFORM tk_tell_of_terms(p_user, v_before, p_terms);
    END IF;
    -- A larger allowance covers what grants had to, those too that are over.
    PERFORM tk_take_with_ended(p_user) FROM usage AS u
      WHERE u.user_id = p_user AND u.burned_requests + u.burned_tokens + u.burned_nanos > 0;
END
    $$;

CREATE OR REPLACE FUNCTION tk_version_at(p_plan text, p_at timestamptz) RETURNS integer
    LANGUAGE sql STABLE
    AS $$
    -- Which version of a plan the catalogue had at an instant; before the first of them, the first.
    SELECT coalesce(max(v.version) FILTER (WHERE v.created_at <= p_at), min(v.version))
      FROM plan_versions AS v WHERE v.plan_name = p_plan
    $$;

CREATE OR REPLACE FUNCTION tk_new_terms(
    p_user       uuid,
    p_plan       text,
    p_kind       text,
    p_starts_at  timestamptz,
    p_expires_at timestamptz DEFAULT NULL,
    p_cycle      text DEFAULT NULL,          -- null: as the plan is sold
    p_is_trial   boolean DEFAULT false,
    p_anchor     timestamptz DEFAULT NULL,   -- null: from here
    p_version    integer DEFAULT NULL        -- null: as the catalogue has the plan now
) RETURNS uuid
    LANGUAGE sql VOLATILE
    AS $$
    -- Give a user the terms of a plan, and end those in force. Null: no such plan.
    -- Their ids are in the order in which they were given, at one instant too and where the clock went back.
    UPDATE plan_terms AS t SET ended_at = p_starts_at, updated_at = p_starts_at
      FROM usage AS u
     WHERE u.user_id = p_user AND t.user_id = p_user AND t.id = u.plan_terms_id
       AND (t.expires_at IS NULL OR t.expires_at > p_starts_at);
    INSERT INTO plan_terms (user_id, id, plan_name, plan_version, kind, starts_at, expires_at, given_until, billing_cycle,
                            is_trial, anchored_at)
    SELECT p_user,
           greatest(tk_uuid7(p_starts_at),
                    tk_uuid_behind((SELECT l.id FROM plan_terms AS l WHERE l.user_id = p_user ORDER BY l.id DESC LIMIT 1))),
           v.plan_name, v.version, p_kind, p_starts_at, p_expires_at, p_expires_at,
           coalesce(p_cycle, v.billing_cycle), p_is_trial, coalesce(p_anchor, p_starts_at)
      FROM plans AS p
      JOIN plan_versions AS v ON v.plan_name = p.name AND v.version = coalesce(p_version, p.version)
     WHERE p.name = p_plan
    RETURNING id
    $$;

CREATE OR REPLACE FUNCTION tk_kind_of_next(t plan_terms) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    -- As what the terms come that follow those at their end.
    SELECT CASE coalesce(t.next_plan, '') WHEN '' THEN 'expired' WHEN 'free' THEN 'cancelled' WHEN t.plan_name THEN 'renewed'
                                          ELSE 'downgraded' END
    $$;

CREATE OR REPLACE FUNCTION tk_expire_plan(p_user uuid) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_terms plan_terms;
    v_new   uuid;
BEGIN
    -- What follows a plan that has ended: what was arranged, else free, as the catalogue had it at that end, whoever meets it when.
    SELECT t.* INTO v_terms FROM usage AS u JOIN plan_terms AS t ON t.user_id = u.user_id AND t.id = u.plan_terms_id
     WHERE u.user_id = p_user;
    IF v_terms.next_plan IS NOT NULL THEN
        v_new := tk_new_terms(p_user, v_terms.next_plan, tk_kind_of_next(v_terms), v_terms.expires_at,
                              p_cycle => v_terms.next_cycle, p_version => tk_version_at(v_terms.next_plan, v_terms.expires_at));
    END IF;
    v_new := coalesce(v_new, tk_new_terms(p_user, 'free', 'expired', v_terms.expires_at,
                                          p_version => tk_version_at('free', v_terms.expires_at)));
    IF v_new IS NULL THEN
        RAISE EXCEPTION 'the catalogue has no plan free' USING ERRCODE = 'no_data_found';
    END IF;
    PERFORM tk_put_in_force(p_user, v_new, v_terms.expires_at);
END
    $$;
