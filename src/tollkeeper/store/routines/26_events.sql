-- Events: who is told of what, once, within the transaction that caused it.

CREATE OR REPLACE FUNCTION tk_tell(p_user uuid, p_kind text, p_about text, p_data jsonb, p_by_mail boolean DEFAULT true)
    RETURNS void
    LANGUAGE sql VOLATILE
    AS $$
    -- The same is told once: what it is about names its period.
    INSERT INTO events (user_id, id, kind, once, data, created_at, mail_due_at)
    SELECT p_user, tk_uuid7(n.now), p_kind, p_kind || ':' || p_about, p_data, n.now, CASE WHEN p_by_mail THEN n.now END
      FROM (SELECT tk_now() AS now) AS n
        ON CONFLICT (user_id, once) DO NOTHING
    $$;

CREATE OR REPLACE FUNCTION tk_instant(p_at timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- As data of events tell instants: with milliseconds.
    SELECT to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
    $$;

CREATE OR REPLACE FUNCTION tk_percent_of(p_allowed bigint, p_percent integer) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT ceil(p_allowed * p_percent / 100.0)::bigint $$;

CREATE OR REPLACE FUNCTION tk_next_warning(p_used bigint, p_allowed bigint, p_percents smallint[]) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    -- The next count above what is used at which there is something to tell; that all is used is told in any case.
    -- Null where nothing is limited, and where nothing is allowed at all: that is no news.
    SELECT min(c.count)
      FROM (SELECT tk_percent_of(p_allowed, p.percent) AS count FROM unnest(p_percents || 100::smallint) AS p (percent)) AS c
     WHERE c.count > p_used
    $$;

CREATE OR REPLACE FUNCTION tk_spent_on(p_user uuid, p_day date) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT coalesce(sum(r.cost_nanos), 0)::bigint
      FROM usage_rollups AS r
     WHERE r.user_id = p_user AND r.period = 'day' AND r.period_start = p_day
    $$;

CREATE OR REPLACE FUNCTION tk_usual_spend(p_user uuid, p_day date) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- What the user spends on a day on which they spend: the mean of those among the four weeks before, if they are seven
    -- at least. Null: nobody can say yet.
    SELECT CASE WHEN count(*) >= 7 THEN avg(d.nanos)::bigint END
      FROM (SELECT sum(r.cost_nanos) AS nanos
              FROM usage_rollups AS r
             WHERE r.user_id = p_user AND r.period = 'day' AND r.period_start >= p_day - 28 AND r.period_start < p_day
             GROUP BY r.period_start
            HAVING sum(r.cost_nanos) > 0) AS d
    $$;

CREATE OR REPLACE FUNCTION tk_unusual_at(p_user uuid, p_day date, p_month_nanos bigint) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- A day's spend is unusual from three times the usual one on, and from a dollar on. Answers the cost of the month at
    -- which today's gets there, as far as it is known now.
    SELECT p_month_nanos + greatest(3 * tk_usual_spend(p_user, p_day), 1000000000) - tk_spent_on(p_user, p_day)
     WHERE tk_usual_spend(p_user, p_day) IS NOT NULL
    $$;

CREATE OR REPLACE FUNCTION tk_warn(p_user uuid, p_refused text[] DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    u         usage;
    w         record;
    v_allowed numeric;   -- as it is told
    v_percent integer;
BEGIN
    -- Tell of the percentages that what is used has reached, and of limits that refused a request; then say at which counts
    -- there is more to tell. Once a limit was told to be reached, nothing less is told of it in that window, unless more is
    -- allowed by now.
    SELECT k.* INTO u FROM usage AS k WHERE k.user_id = p_user;
    FOR w IN SELECT l.* FROM (VALUES
                 ('dailyRequests', u.day_requests, u.daily_requests, u.warn_day_requests, u.day_starts_at, u.day_ends_at),
                 ('monthlyRequests', u.month_requests, u.monthly_requests + u.extra_requests, u.warn_month_requests,
                  u.month_starts_at, u.month_ends_at),
                 ('monthlyTokens', u.month_tokens, u.monthly_tokens + u.extra_tokens, u.warn_month_tokens,
                  u.month_starts_at, u.month_ends_at),
                 ('monthlyCost', u.month_cost_nanos, u.monthly_cost_nanos + u.extra_nanos, u.warn_month_nanos,
                  u.month_starts_at, u.month_ends_at)) AS l (name, used, allowed, warn_at, starts_at, ends_at)
              WHERE l.used >= l.warn_at OR l.warn_at IS NOT NULL AND l.name = ANY (p_refused) LOOP
        v_allowed := CASE w.name WHEN 'monthlyCost' THEN tk_cents(w.allowed) ELSE w.allowed END;
        FOR v_percent IN SELECT DISTINCT p.percent FROM unnest(u.warn_at || 100::smallint) AS p (percent)
                          WHERE w.used >= tk_percent_of(w.allowed, p.percent)
                            AND (p.percent = 100 OR NOT EXISTS (
                                    SELECT FROM events AS e
                                     WHERE e.user_id = p_user
                                       AND e.once = concat_ws(':', 'limit.reached', w.name, 100, tk_instant(w.starts_at))
                                       AND (e.data ->> 'allowed')::numeric >= v_allowed))
                             OR p.percent = 100 AND w.name = ANY (p_refused)
                          ORDER BY p.percent LOOP
            PERFORM tk_tell(p_user, CASE v_percent WHEN 100 THEN 'limit.reached' ELSE 'limit.threshold' END,
                            concat_ws(':', w.name, v_percent, tk_instant(w.starts_at)),
                            jsonb_build_object(
                                'limit', w.name, 'percent', v_percent, 'plan', u.plan_name,
                                'used', CASE w.name WHEN 'monthlyCost' THEN tk_cents(w.used) ELSE w.used END,
                                'allowed', v_allowed,
                                'windowStart', tk_instant(w.starts_at), 'resetsAt', tk_instant(w.ends_at)));
        END LOOP;
    END LOOP;
    IF u.month_cost_nanos >= u.unusual_at_nanos THEN
        u.unusual_at_nanos := tk_unusual_at(p_user, u.day_on, u.month_cost_nanos);
        IF u.month_cost_nanos >= u.unusual_at_nanos THEN
            PERFORM tk_tell(p_user, 'spend.unusual', u.day_on::text,
                            jsonb_build_object('day', u.day_on, 'cost', tk_cents(tk_spent_on(p_user, u.day_on)),
                                               'usual', tk_cents(tk_usual_spend(p_user, u.day_on))));
            u.unusual_at_nanos := NULL;
        END IF;
    END IF;
    UPDATE usage AS k
       SET warn_day_requests   = CASE WHEN k.warn_day_requests IS NOT NULL AND NOT 'dailyRequests' = ANY (p_refused)
                                      THEN tk_next_warning(k.day_requests, k.daily_requests, k.warn_at) END,
           warn_month_requests = CASE WHEN k.warn_month_requests IS NOT NULL AND NOT 'monthlyRequests' = ANY (p_refused)
                                      THEN tk_next_warning(k.month_requests, k.monthly_requests + k.extra_requests, k.warn_at) END,
           warn_month_tokens   = CASE WHEN k.warn_month_tokens IS NOT NULL AND NOT 'monthlyTokens' = ANY (p_refused)
                                      THEN tk_next_warning(k.month_tokens, k.monthly_tokens + k.extra_tokens, k.warn_at) END,
           warn_month_nanos    = CASE WHEN k.warn_month_nanos IS NOT NULL AND NOT 'monthlyCost' = ANY (p_refused)
                                      THEN tk_next_warning(k.month_cost_nanos, k.monthly_cost_nanos + k.extra_nanos, k.warn_at) END,
           unusual_at_nanos    = u.unusual_at_nanos
     WHERE k.user_id = p_user;
END
    $$;

CREATE OR REPLACE FUNCTION tk_tell_unpriced(p_changes tk_change[], p_users uuid[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    m record;
BEGIN
    -- Of each model whose price nobody knows, once a month; of twenty at most, for callers name models as they like. The key
    -- is looked for first: most of them were told before.
    FOR m IN SELECT DISTINCT c.user_id, c.model, tk_instant(u.month_starts_at) AS month
               FROM unnest(p_changes) AS c
               JOIN usage AS u ON u.user_id = c.user_id
              WHERE c.unpriced > 0 AND u.user_id = ANY (p_users)
              ORDER BY c.user_id, c.model LOOP
        PERFORM FROM events AS e
          WHERE e.user_id = m.user_id AND e.once = concat_ws(':', 'request.unpriced', m.month, coalesce(m.model, ''));
        IF NOT FOUND AND (SELECT count(*) FROM events AS e
                           WHERE e.user_id = m.user_id AND e.kind = 'request.unpriced' AND e.data ->> 'monthStart' = m.month) < 20 THEN
            PERFORM tk_tell(m.user_id, 'request.unpriced', concat_ws(':', m.month, coalesce(m.model, '')),
                            jsonb_build_object('model', m.model, 'monthStart', m.month), p_by_mail => false);
        END IF;
    END LOOP;
END
    $$;

CREATE OR REPLACE FUNCTION tk_tell_of_terms(p_user uuid, p_old uuid, p_new uuid) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_old plan_terms;
    v_new plan_terms;
BEGIN
    -- A user's first terms are no change, nor is the same plan for another period, nor are terms that say the same.
    SELECT t.* INTO v_old FROM plan_terms AS t WHERE t.user_id = p_user AND t.id = p_old;
    SELECT t.* INTO v_new FROM plan_terms AS t WHERE t.user_id = p_user AND t.id = p_new;
    IF v_old.id IS NULL OR v_new.kind = 'renewed'
       OR v_new.kind <> 'expired'
          AND (v_old.plan_name, v_old.plan_version, v_old.expires_at, v_old.billing_cycle, v_old.is_trial)
              IS NOT DISTINCT FROM (v_new.plan_name, v_new.plan_version, v_new.expires_at, v_new.billing_cycle, v_new.is_trial) THEN
        RETURN;
    END IF;
    -- Of a plan that ended by itself one mail is enough.
    PERFORM tk_tell(p_user, 'plan.changed', v_new.id::text,
                    jsonb_build_object('kind', v_new.kind, 'from', v_old.plan_name, 'to', v_new.plan_name,
                                       'at', tk_instant(v_new.starts_at), 'expiresAt', tk_instant(v_new.expires_at)),
                    p_by_mail => v_new.kind <> 'expired');
    IF v_new.kind = 'expired' THEN
        PERFORM tk_tell(p_user, 'plan.expired', v_old.id::text,
                        jsonb_build_object('plan', v_old.plan_name, 'at', tk_instant(v_old.expires_at), 'nextPlan', v_new.plan_name));
    END IF;
END
    $$;

CREATE OR REPLACE FUNCTION tk_tell_of_expiring(p_user uuid) RETURNS void
    LANGUAGE sql VOLATILE
    AS $$
    SELECT tk_tell(p_user, 'plan.expiring', concat_ws(':', u.plan_terms_id, tk_instant(u.plan_expires_at)),
                   jsonb_build_object('plan', u.plan_name, 'expiresAt', tk_instant(u.plan_expires_at),
                                      'nextPlan', coalesce(u.next_plan, 'free')))
      FROM usage AS u WHERE u.user_id = p_user
    $$;
