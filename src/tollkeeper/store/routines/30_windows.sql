-- Bringing usage rows current: windows that ended, plans that ended, requests whose deadline passed.
-- Every deciding function does it first, under the lock, so nothing waits for a job.

DROP FUNCTION IF EXISTS tk_limits(bigint, bigint, bigint, bigint, bigint, usage);

CREATE OR REPLACE FUNCTION tk_limits(
    p_version bigint, p_plan text, p_day bigint, p_daily bigint, p_month bigint, p_monthly bigint,
    p_tokens bigint, p_monthly_tokens bigint, p_nanos bigint, p_monthly_nanos bigint,
    p_day_ends_at timestamptz, p_month_ends_at timestamptz, p_is_active boolean,
    p_minute bigint, p_each_minute bigint, p_minute_starts_at timestamptz, p_pending bigint, p_concurrent bigint)
    RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- Read by metering.tracking.limits.Limits, in this order. Instants in microseconds since 1970.
    SELECT jsonb_build_array(
               p_version, p_plan, p_day, p_daily, p_month, p_monthly, p_tokens, p_monthly_tokens, p_nanos, p_monthly_nanos,
               (extract(epoch FROM p_day_ends_at) * 1000000)::bigint, (extract(epoch FROM p_month_ends_at) * 1000000)::bigint,
               p_is_active,
               p_minute, p_each_minute, (extract(epoch FROM p_minute_starts_at) * 1000000)::bigint + 60000000,
               p_pending, p_concurrent)
    $$;

CREATE OR REPLACE FUNCTION tk_limits(
    p_version bigint, p_day bigint, p_month bigint, p_tokens bigint, p_nanos bigint, p_pending bigint, p_usage usage)
    RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT tk_limits(
               p_version, p_usage.plan_name, p_day, p_usage.daily_requests,
               p_month, p_usage.monthly_requests + p_usage.extra_requests,
               p_tokens, p_usage.monthly_tokens + p_usage.extra_tokens,
               p_nanos, p_usage.monthly_cost_nanos + p_usage.extra_nanos,
               p_usage.day_ends_at, p_usage.month_ends_at, p_usage.is_active,
               p_usage.minute_requests, p_usage.requests_per_minute, p_usage.minute_starts_at,
               p_pending, p_usage.concurrent_requests)
    $$;

CREATE OR REPLACE FUNCTION tk_window(p_limit text, p_at timestamptz, p_usage usage) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- What a refusal tells besides: when the window of its limit began, and by which instant it was decided.
    SELECT jsonb_build_array((extract(epoch FROM CASE p_limit WHEN 'daily' THEN p_usage.day_starts_at
                                                              WHEN 'perMinute' THEN p_usage.minute_starts_at
                                                              ELSE p_usage.month_starts_at END) * 1000000)::bigint,
                             (extract(epoch FROM p_at) * 1000000)::bigint)
    $$;

CREATE OR REPLACE FUNCTION tk_midnight(p_at timestamptz, p_zone text) RETURNS timestamp
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- The local midnight that began the day of an instant. Where clocks go back over midnight (Havana, Azores) it comes
    -- twice and the later one counts: until then it is still the day before.
    SELECT CASE WHEN d.midnight AT TIME ZONE p_zone > p_at THEN d.midnight - interval '1 day' ELSE d.midnight END
      FROM (SELECT date_trunc('day', p_at AT TIME ZONE p_zone) AS midnight) AS d
    $$;

CREATE OR REPLACE FUNCTION tk_month_of(p_anchor timestamptz, p_zone text, p_at timestamptz)
    RETURNS TABLE (starts_at timestamptz, ends_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- The month around an instant, half-open: counted from an anchor, or without one the calendar's.
    SELECT coalesce(a.starts_at, c.first AT TIME ZONE p_zone),
           coalesce(a.ends_at, (c.first + interval '1 month') AT TIME ZONE p_zone)
      FROM (SELECT date_trunc('month', tk_midnight(p_at, p_zone)) AS first) AS c
      LEFT JOIN LATERAL (SELECT p.* FROM tk_period_of(p_anchor, 1, p_zone, p_at) AS p WHERE p_anchor IS NOT NULL) AS a ON true
    $$;

CREATE OR REPLACE FUNCTION tk_zone_moves_at(u usage) RETURNS timestamptz
    LANGUAGE sql STABLE
    AS $$
    -- When the zone that a user has chosen comes into force: with the next day, but once a month (of UTC, for those of the
    -- user's own zones can be made as short as an hour). Null: none was chosen.
    SELECT CASE WHEN u.next_zone IS NULL THEN NULL
                WHEN u.zone_changed_at IS NULL OR n.month <= u.day_ends_at THEN u.day_ends_at
                ELSE (tk_midnight(n.month - interval '1 microsecond', u.day_zone) + interval '1 day') AT TIME ZONE u.day_zone END
      FROM (SELECT (date_trunc('month', u.zone_changed_at AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC' AS month) AS n
    $$;

CREATE OR REPLACE FUNCTION tk_roll_windows(p_users uuid[], p_now timestamptz) RETURNS void
    LANGUAGE sql VOLATILE
    AS $$
    -- A new window begins where the old one ended, or at the last boundary before now if whole windows passed unused,
    -- and ends at the next boundary of the zone then in force.
    WITH old AS (
        SELECT u.*, u.day_ends_at <= p_now AS day_over, u.month_ends_at <= p_now AS month_over,
               tk_zone_moves_at(u) <= p_now IS TRUE AS moved
          FROM usage AS u
         WHERE u.user_id = ANY (p_users) AND (u.day_ends_at <= p_now OR u.month_ends_at <= p_now)
    ), local AS (
        SELECT z.*, CASE WHEN z.month_over THEN z.zone ELSE z.month_zone END AS new_month_zone,
               d.midnight, m.starts_at AS month_begins, m.ends_at AS month_ends,
               CASE WHEN z.day_over THEN d.midnight::date ELSE z.day_on END AS new_day,
               CASE WHEN z.month_over THEN 0 ELSE z.month_cost_nanos END AS new_cost_nanos
          FROM (SELECT o.*, CASE WHEN o.moved THEN o.next_zone ELSE o.day_zone END AS zone FROM old AS o) AS z
          CROSS JOIN LATERAL (SELECT tk_midnight(p_now, z.zone) AS midnight) AS d
          LEFT JOIN LATERAL tk_month_of(z.month_anchor, z.zone, p_now) AS m ON z.month_over
    )
    UPDATE usage AS u
       SET day_zone        = l.zone,
           next_zone       = CASE WHEN l.moved THEN NULL ELSE u.next_zone END,
           zone_changed_at = CASE WHEN l.moved THEN u.day_ends_at ELSE u.zone_changed_at END,
           day_on          = l.new_day,
           day_starts_at   = CASE WHEN l.day_over THEN greatest(u.day_ends_at, l.midnight AT TIME ZONE l.zone)
                                  ELSE u.day_starts_at END,
           day_ends_at     = CASE WHEN l.day_over THEN (l.midnight + interval '1 day') AT TIME ZONE l.zone
                                  ELSE u.day_ends_at END,
           day_requests    = CASE WHEN l.day_over THEN 0 ELSE u.day_requests END,
           month_zone      = l.new_month_zone,
           month_starts_at = CASE WHEN l.month_over THEN greatest(u.month_ends_at, l.month_begins) ELSE u.month_starts_at END,
           month_ends_at   = CASE WHEN l.month_over THEN l.month_ends ELSE u.month_ends_at END,
           month_requests   = CASE WHEN l.month_over THEN 0 ELSE u.month_requests END,
           month_tokens     = CASE WHEN l.month_over THEN 0 ELSE u.month_tokens END,
           month_cost_nanos = l.new_cost_nanos,
           reserved_tokens  = CASE WHEN l.month_over THEN 0 ELSE u.reserved_tokens END,
           reserved_nanos   = CASE WHEN l.month_over THEN 0 ELSE u.reserved_nanos END,
           burned_requests  = CASE WHEN l.month_over THEN 0 ELSE u.burned_requests END,
           burned_tokens    = CASE WHEN l.month_over THEN 0 ELSE u.burned_tokens END,
           burned_nanos     = CASE WHEN l.month_over THEN 0 ELSE u.burned_nanos END,
           covered_requests = CASE WHEN l.month_over THEN 0 ELSE u.covered_requests END,
           covered_tokens   = CASE WHEN l.month_over THEN 0 ELSE u.covered_tokens END,
           covered_nanos    = CASE WHEN l.month_over THEN 0 ELSE u.covered_nanos END,
           warn_day_requests   = CASE WHEN l.day_over THEN tk_next_warning(0, u.daily_requests, u.warn_at)
                                      ELSE u.warn_day_requests END,
           warn_month_requests = CASE WHEN l.month_over THEN tk_next_warning(0, u.monthly_requests + u.extra_requests, u.warn_at)
                                      ELSE u.warn_month_requests END,
           warn_month_tokens   = CASE WHEN l.month_over THEN tk_next_warning(0, u.monthly_tokens + u.extra_tokens, u.warn_at)
                                      ELSE u.warn_month_tokens END,
           warn_month_nanos    = CASE WHEN l.month_over THEN tk_next_warning(0, u.monthly_cost_nanos + u.extra_nanos, u.warn_at)
                                      ELSE u.warn_month_nanos END,
           unusual_at_nanos    = tk_unusual_at(u.user_id, l.new_day, l.new_cost_nanos)
      FROM local AS l
     WHERE u.user_id = l.user_id
    $$;

CREATE OR REPLACE FUNCTION tk_expire(p_users uuid[], p_now timestamptz) RETURNS integer
    LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    AS $$
DECLARE
    v_changes tk_change[];
BEGIN
    -- The deadline passed: the unit stays counted, the reservation goes, a late finish may still come once.
    WITH expired AS (
        UPDATE chat_requests AS r
           SET status = 'failed', error_code = 'expired', completed_at = r.expires_at
         WHERE r.user_id = ANY (p_users) AND r.status = 'pending' AND r.expires_at <= p_now
        RETURNING r.*
    ), noted AS (
        INSERT INTO request_analytics (id, user_id, request_id, request_type, category, complexity, was_successful, created_at)
        SELECT e.id, e.user_id, e.id, e.request_type, e.category, e.complexity, false, e.expires_at
          FROM expired AS e
    )
    SELECT array_agg(ROW(e.user_id, 1, 0, e.reserved_tokens, e.reserved_nanos, e.started_at, e.started_on, e.plan_name,
                         e.session_id, e.model, e.category, e.request_type, e.complexity,
                         0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)::tk_change)
      INTO v_changes
      FROM expired AS e;
    IF v_changes IS NOT NULL THEN
        PERFORM tk_apply(v_changes, NULL);
    END IF;
    RETURN coalesce(cardinality(v_changes), 0);
END
    $$;

-- It answered nothing before.
DROP FUNCTION IF EXISTS tk_live_through(uuid, timestamptz);

CREATE OR REPLACE FUNCTION tk_live_through(p_user uuid, p_now timestamptz) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    u         usage;
    v_at      timestamptz;
    v_month   boolean;    -- whether a month ends that leaves something to grants
    v_left    bigint[];
    v_done    timestamptz := '-infinity';
    v_expired integer := 0;
BEGIN
    -- What ended of a user's terms, grants, months and zone, in the order in which it did: each under what was in force then.
    -- Answers how many requests had expired before the last of it.
    LOOP
        SELECT w.* INTO u FROM usage AS w WHERE w.user_id = p_user;
        v_at := least(u.plan_expires_at, u.expiring_at, u.terms_due_at, tk_zone_moves_at(u),
                      CASE WHEN tk_months_matter(u) THEN u.month_ends_at END);
        EXIT WHEN v_at > p_now;
        IF v_at <= v_done THEN
            RAISE EXCEPTION 'what ended at % goes on', v_at;   -- better than to try for ever
        END IF;
        v_done := v_at;
        -- What was under way then is under way, though it has expired by now.
        v_expired := v_expired + tk_expire(ARRAY[p_user], v_at);
        PERFORM tk_roll_windows(ARRAY[p_user], v_at - interval '1 microsecond');
        PERFORM tk_settle_grants(p_user);
        SELECT w.month_ends_at = v_at AND tk_months_matter(w),
               ARRAY[(w.monthly_requests - w.month_requests) * w.rollover_percent / 100,
                     (w.monthly_tokens - w.month_tokens - w.reserved_tokens) * w.rollover_percent / 100,
                     (w.monthly_cost_nanos - w.month_cost_nanos - w.reserved_nanos) * w.rollover_percent / 100]
          INTO v_month, v_left
          FROM usage AS w WHERE w.user_id = p_user;
        IF u.expiring_at = v_at THEN
            PERFORM tk_tell_of_expiring(p_user);
        END IF;
        IF u.plan_expires_at = v_at THEN
            PERFORM tk_expire_plan(p_user);
        END IF;
        -- A month that ends with the plan is followed by one of the next plan's.
        PERFORM tk_roll_windows(ARRAY[p_user], v_at);
        IF v_month THEN
            UPDATE grants AS g SET burned_before = g.burned WHERE g.user_id = p_user AND g.burned_before < g.burned;
            INSERT INTO grants (user_id, id, unit, amount, source, reason, expires_at, created_at)
            SELECT p_user, tk_uuid7(v_at), r.unit, r.amount, 'rollover', '', w.month_ends_at, v_at
              FROM unnest(ARRAY['requests', 'tokens', 'cost'], v_left) AS r (unit, amount)
              JOIN usage AS w ON w.user_id = p_user
             WHERE r.amount > 0;
        END IF;
        IF v_month OR v_at = least(u.expiring_at, u.terms_due_at) AND u.plan_expires_at IS DISTINCT FROM v_at THEN
            PERFORM tk_put_in_force(p_user, w.plan_terms_id, v_at) FROM usage AS w WHERE w.user_id = p_user;
        END IF;
    END LOOP;
    RETURN v_expired;
END
    $$;

CREATE OR REPLACE FUNCTION tk_months_matter(p_usage usage) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    -- Whether the end of a month has to be met in its turn: it burns grants, or what it leaves unused rolls over.
    SELECT p_usage.rollover_percent > 0 OR p_usage.extra_requests + p_usage.extra_tokens + p_usage.extra_nanos > 0
    $$;

CREATE OR REPLACE FUNCTION tk_bring_current(p_users uuid[], p_now timestamptz) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_due     uuid[];
    v_user    record;
    v_expired integer := 0;
BEGIN
    SELECT array_agg(u.user_id ORDER BY u.user_id) INTO v_due
      FROM usage AS u
     WHERE u.user_id = ANY (p_users) AND u.due_at <= p_now;
    IF v_due IS NULL THEN
        RETURN 0;
    END IF;
    -- What expired did so in the window and under the plan of its time.
    FOR v_user IN SELECT u.user_id FROM usage AS u
                   WHERE u.user_id = ANY (v_due)
                     AND (u.plan_expires_at <= p_now OR u.expiring_at <= p_now OR u.terms_due_at <= p_now
                          OR tk_zone_moves_at(u) <= p_now
                          OR u.month_ends_at <= p_now AND tk_months_matter(u)) LOOP
        v_expired := v_expired + tk_live_through(v_user.user_id, p_now);
    END LOOP;
    v_expired := v_expired + tk_expire(v_due, p_now);
    PERFORM tk_roll_windows(v_due, p_now);
    UPDATE usage AS u
       SET due_at = least(u.day_ends_at, u.month_ends_at, u.plan_expires_at, u.expiring_at, u.terms_due_at,
                          (SELECT min(r.expires_at) FROM chat_requests AS r
                            WHERE r.user_id = u.user_id AND r.user_id = ANY (v_due) AND r.status = 'pending'))
     WHERE u.user_id = ANY (v_due);
    RETURN v_expired;
END
    $$;

-- As it was called before: a call could mean either.
DROP FUNCTION IF EXISTS tk_lock(uuid[]);

CREATE OR REPLACE FUNCTION tk_lock(p_users uuid[], p_brief boolean DEFAULT false) RETURNS timestamptz
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_due      timestamptz;
    v_now      timestamptz;
    v_patience text := current_setting('lock_timeout');
BEGIN
    -- Who is held for long must not hold up the others of a set, nor those of the next: they are decided without them.
    IF p_brief THEN
        PERFORM set_config('lock_timeout', '100ms', true);
    END IF;
    -- Each user's usage row is the mutex of all that is theirs; sets take them in one order. The instant is read
    -- after the wait, and every later statement of the caller sees what the holders before it committed.
    SELECT min(locked.due_at) INTO v_due
      FROM (SELECT u.due_at FROM usage AS u WHERE u.user_id = ANY (p_users) ORDER BY u.user_id FOR UPDATE) AS locked;
    IF p_brief THEN
        PERFORM set_config('lock_timeout', v_patience, true);
    END IF;
    v_now := tk_now();
    IF v_due <= v_now THEN
        PERFORM tk_bring_current(p_users, v_now);
    END IF;
    RETURN v_now;
END
    $$;

CREATE OR REPLACE FUNCTION tk_user_of(p_email text) RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT i.user_id FROM user_identities AS i WHERE i.kind = 'email' AND i.value = lower(p_email) $$;

CREATE OR REPLACE FUNCTION tk_add_user(p_email text, p_plan text, p_zone text) RETURNS uuid
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_now  timestamptz := tk_now();
    v_user uuid := tk_user_of(p_email);
BEGIN
    -- The user of an e-mail address, made if there is none: account, identity, terms and usage row together.
    IF v_user IS NOT NULL THEN
        RETURN v_user;
    END IF;
    v_user := tk_uuid7(v_now);
    INSERT INTO accounts (id, created_at, updated_at) VALUES (v_user, v_now, v_now);
    INSERT INTO user_identities (kind, value, user_id, shown_as) VALUES ('email', lower(p_email), v_user, p_email)
        ON CONFLICT (kind, value) DO NOTHING;
    IF NOT FOUND THEN   -- somebody else made it just now
        DELETE FROM accounts WHERE accounts.id = v_user;
        RETURN tk_user_of(p_email);
    END IF;
    INSERT INTO usage (user_id, plan_name, plan_terms_id, features, day_zone, month_zone, created_at,
                       day_on, day_starts_at, day_ends_at, month_starts_at, month_ends_at, due_at)
    SELECT v_user, p_plan, v_user, '{}', p_zone, p_zone, v_now, l.midnight::date,
           l.midnight AT TIME ZONE p_zone, (l.midnight + interval '1 day') AT TIME ZONE p_zone,
           l.first AT TIME ZONE p_zone, (l.first + interval '1 month') AT TIME ZONE p_zone,
           (l.midnight + interval '1 day') AT TIME ZONE p_zone
      FROM (SELECT m.midnight, date_trunc('month', m.midnight) AS first
              FROM (SELECT tk_midnight(v_now, p_zone) AS midnight) AS m) AS l;
    PERFORM tk_put_in_force(v_user, tk_new_terms(v_user, p_plan, 'given', v_now), v_now);
    PERFORM FROM plan_terms AS t WHERE t.user_id = v_user;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the catalogue has no plan %', p_plan USING ERRCODE = 'no_data_found';
    END IF;
    RETURN v_user;
END
    $$;
