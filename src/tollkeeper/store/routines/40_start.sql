-- Admission: a set of starts is decided as if its members came one after another.

CREATE OR REPLACE FUNCTION tk_key(p_user uuid, p_namespace text, p_key text) RETURNS SETOF request_keys
    LANGUAGE sql STABLE ROWS 1
    AS $$
    -- What a client named a request. With a limit, no plan made on an empty table can walk all keys of a user instead.
    SELECT k.* FROM request_keys AS k WHERE k.user_id = p_user AND k.namespace = p_namespace AND k.key = p_key LIMIT 1
    $$;

-- As it was called before: with another parameter it is another function, and a call could mean either.
DROP FUNCTION IF EXISTS tk_start(uuid[], text[], text[], text[], bytea[], timestamptz[], text[], text[], text[], text[], text[], text[],
                                 bigint[], bigint[], jsonb[], jsonb[], text[], text[], interval);

CREATE OR REPLACE FUNCTION tk_start(
    p_users          uuid[],
    p_keys           text[],        -- the client's own request id
    p_idempotency    text[],        -- the Idempotency-Key header
    p_imports        text[],        -- what identifies a row of a foreign record
    p_hashes         bytea[],       -- of the payload
    p_started_at     timestamptz[], -- null: now. A past request counts in its own windows and is never refused
    p_prompts        text[],
    p_sessions       text[],
    p_models         text[],
    p_types          text[],
    p_categories     text[],
    p_complexities   text[],
    p_input_tokens   bigint[],      -- estimated
    p_max_tokens     bigint[],
    p_rates          jsonb[],       -- of the public price list at the request's time; null: unknown
    p_metadata       jsonb[],
    p_ip_addresses   text[],
    p_user_agents    text[],
    p_pending_for    interval,      -- how long until an unfinished request expires
    p_kept           text[] DEFAULT NULL  -- for which text policy of a plan the texts are fit, or any; null: all
) RETURNS TABLE (
    verdict    text,
    id         uuid,
    expires_at timestamptz,
    limits     jsonb,
    reason     text,                -- which limit or feature refused
    allowed    bigint,
    needed     bigint,
    upgrade_to text
)
    LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_nestloop = off SET enable_mergejoin = off
    AS $$
#variable_conflict use_column
DECLARE
    v_now       timestamptz := tk_lock(p_users);
    v_size      integer := cardinality(p_users);
    v_own       boolean := EXISTS (SELECT FROM model_prices);
    -- What is kept of the texts of whoever is on a plan, of the plans that do not keep all.
    v_policies  jsonb := (SELECT jsonb_object_agg(p.name, p.text_policy) FROM plans AS p WHERE p.text_policy <> 'all');
    -- Whether any two items have a name in common: seldom, and only then is each looked for among those before it.
    v_twins     boolean := v_size > 1 AND (
                           EXISTS (SELECT FROM unnest(p_users, p_keys) AS k (u, key)
                                    WHERE k.key IS NOT NULL GROUP BY k.u, k.key HAVING count(*) > 1)
                        OR EXISTS (SELECT FROM unnest(p_users, p_idempotency) AS k (u, key)
                                    WHERE k.key IS NOT NULL GROUP BY k.u, k.key HAVING count(*) > 1)
                        OR EXISTS (SELECT FROM unnest(p_users, p_imports) AS k (u, key)
                                    WHERE k.key IS NOT NULL GROUP BY k.u, k.key HAVING count(*) > 1));
    -- one element for each item
    v_verdicts  text[] := array_fill('unknown-user'::text, ARRAY[v_size]);
    v_ids       uuid[] := array_fill(NULL::uuid, ARRAY[v_size]);
    v_started   timestamptz[] := array_fill(NULL::timestamptz, ARRAY[v_size]);
    v_days      date[] := array_fill(NULL::date, ARRAY[v_size]);
    v_expires   timestamptz[] := array_fill(NULL::timestamptz, ARRAY[v_size]);
    v_plans     text[] := array_fill(NULL::text, ARRAY[v_size]);
    v_versions  bigint[] := array_fill(NULL::bigint, ARRAY[v_size]);
    v_tokens    bigint[] := array_fill(NULL::bigint, ARRAY[v_size]);
    v_nanos     bigint[] := array_fill(NULL::bigint, ARRAY[v_size]);
    v_rates     jsonb[] := array_fill(NULL::jsonb, ARRAY[v_size]);
    v_limits    jsonb[] := array_fill(NULL::jsonb, ARRAY[v_size]);
    v_reasons   text[] := array_fill(NULL::text, ARRAY[v_size]);
    v_allowed   bigint[] := array_fill(NULL::bigint, ARRAY[v_size]);
    v_needed    bigint[] := array_fill(NULL::bigint, ARRAY[v_size]);
    v_upgrades  text[] := array_fill(NULL::text, ARRAY[v_size]);
    -- one element for each user with something admitted
    v_users     uuid[] := '{}';
    v_version   bigint[] := '{}';
    v_day       bigint[] := '{}';
    v_month     bigint[] := '{}';
    v_month_tokens bigint[] := '{}';
    v_month_nanos  bigint[] := '{}';
    v_minute_at timestamptz[] := '{}';
    v_minute    bigint[] := '{}';
    -- of whom there is something to tell, and the limit that refused
    v_warned    uuid[] := '{}';
    v_refused   text[] := '{}';
    -- the user at hand
    i           record;
    u           usage;
    v_policy    text;
    v_held      bigint;   -- reserved and booked tokens of the month
    v_spent     bigint;   -- reserved and booked money of the month
    v_moment    timestamptz;   -- now, as this user's time has it
    v_at        timestamptz;
    v_seen      text[];
    v_verdict   text;
    v_reason    text;
    v_rate      jsonb;
    v_token     bigint;
    v_nano      bigint;
    v_user      uuid;
    n           integer := 0;
BEGIN
    FOR i IN
        SELECT o.*, w AS usage,
               coalesce(k.request_id, k2.request_id, k3.request_id) AS known_id,
               coalesce(k.payload_hash, k2.payload_hash, k3.payload_hash) AS known_hash,
               coalesce(k.answer, k2.answer, k3.answer) AS known_answer
          FROM unnest(p_users, p_keys, p_idempotency, p_imports, p_hashes, p_started_at, p_models, p_types,
                      p_input_tokens, p_max_tokens, p_rates, p_kept) WITH ORDINALITY
               AS o (user_id, key, idempotency, import, hash, started_at, model, type, input_tokens, max_tokens, rates, kept, ord)
          JOIN usage AS w ON w.user_id = o.user_id
          LEFT JOIN LATERAL tk_key(o.user_id, 'request', o.key) AS k ON true
          LEFT JOIN LATERAL tk_key(o.user_id, 'idempotency', o.idempotency) AS k2 ON true
          LEFT JOIN LATERAL tk_key(o.user_id, 'import', o.import) AS k3 ON true
         WHERE w.user_id = ANY (p_users)   -- for planners: whichever side they begin with, these rows are all
         ORDER BY o.user_id, o.ord
    LOOP
        IF u.user_id IS DISTINCT FROM i.user_id THEN
            u := i.usage;
            v_policy := coalesce(v_policies ->> u.plan_name, 'all');
            v_held := u.month_tokens + u.reserved_tokens;
            v_spent := u.month_cost_nanos + u.reserved_nanos;
            -- A user's time never runs back behind their window, whatever the clock does.
            v_moment := greatest(v_now, u.day_starts_at, u.month_starts_at, u.minute_starts_at);
            IF u.minute_starts_at + interval '1 minute' <= v_moment THEN
                u.minute_starts_at := date_trunc('minute', v_moment);
                u.minute_requests := 0;
            END IF;
            v_seen := '{}';
            n := cardinality(v_users) + 1;
        END IF;
        v_at := coalesce(i.started_at, v_moment);
        v_rate := i.rates;
        IF v_own THEN
            v_rate := coalesce(tk_own_rates(i.model, v_at), v_rate);
        END IF;
        v_token := i.input_tokens + coalesce(i.max_tokens, 0);
        v_nano := coalesce(tk_cost(v_rate, i.input_tokens, coalesce(i.max_tokens, 0), 0, 0, 0), 0);
        v_verdict := 'admitted';
        v_reason := NULL;

        IF i.known_id IS NOT NULL THEN
            v_verdict := CASE WHEN i.known_hash = i.hash THEN 'replayed' ELSE 'key-reused' END;
            v_ids[i.ord] := i.known_id;
            v_limits[i.ord] := i.known_answer -> 0;
            v_expires[i.ord] := (i.known_answer ->> 1)::timestamptz;
        ELSIF v_twins AND ('r' || i.key = ANY (v_seen) OR 'i' || i.idempotency = ANY (v_seen)
                           OR 'm' || i.import = ANY (v_seen)) THEN
            v_verdict := 'again';   -- its twin is in this very set: decided in the next one
        ELSIF i.started_at IS NOT NULL THEN
            IF i.started_at > v_now THEN
                v_verdict := 'in-the-future';
            END IF;
        ELSIF NOT u.is_active THEN
            v_verdict := 'inactive';
        ELSIF NOT (i.type = ANY (u.features) OR '*' = ANY (u.features)) THEN
            v_verdict := 'not-in-plan';
            v_reason := 'requestType';
        ELSIF NOT tk_includes_model(u.features, i.model) THEN
            v_verdict := 'not-in-plan';
            v_reason := 'model';
        ELSIF v_token > u.max_tokens_per_request THEN
            v_verdict := 'too-many-tokens';
            v_allowed[i.ord] := u.max_tokens_per_request;
            v_needed[i.ord] := v_token;
        ELSIF u.monthly_cost_nanos IS NOT NULL AND v_rate IS NULL THEN
            v_verdict := 'unpriced-model';
        ELSE
            v_reason := CASE WHEN u.day_requests >= u.daily_requests THEN 'daily'
                             WHEN u.month_requests >= u.monthly_requests + u.extra_requests THEN 'monthly'
                             WHEN v_held + v_token > u.monthly_tokens + u.extra_tokens THEN 'tokens'
                             WHEN v_spent + v_nano > u.monthly_cost_nanos + u.extra_nanos THEN 'cost'
                             WHEN u.minute_requests >= u.requests_per_minute THEN 'perMinute'
                             WHEN u.pending_requests >= u.concurrent_requests THEN 'concurrent' END;
            IF v_reason IS NOT NULL THEN
                v_verdict := 'limit';
                v_needed[i.ord] := CASE v_reason WHEN 'tokens' THEN v_token WHEN 'cost' THEN v_nano ELSE 1 END;
                -- What was only reserved comes back: a limit is reached once what is used leaves too little by itself, and
                -- nothing less is left to tell.
                IF (CASE v_reason
                        WHEN 'daily' THEN u.warn_day_requests IS NOT NULL
                        WHEN 'monthly' THEN u.warn_month_requests IS NOT NULL
                        WHEN 'tokens' THEN u.warn_month_tokens >= u.monthly_tokens + u.extra_tokens
                                           AND u.month_tokens + v_token > u.monthly_tokens + u.extra_tokens
                        WHEN 'cost' THEN u.warn_month_nanos >= u.monthly_cost_nanos + u.extra_nanos
                                         AND u.month_cost_nanos + v_nano > u.monthly_cost_nanos + u.extra_nanos END) THEN
                    v_warned := v_warned || u.user_id;
                    v_refused := v_refused || CASE v_reason WHEN 'daily' THEN 'dailyRequests' WHEN 'monthly' THEN 'monthlyRequests'
                                                            WHEN 'tokens' THEN 'monthlyTokens' ELSE 'monthlyCost' END;
                END IF;
            END IF;
        END IF;

        IF v_verdict = 'admitted' AND coalesce(i.kept, 'all') NOT IN (v_policy, 'any') THEN
            v_verdict := 'keeps-' || v_policy;   -- decided again with the texts that are fit for it
        END IF;

        IF v_verdict = 'admitted' THEN
            IF v_at >= u.day_starts_at AND v_at < u.day_ends_at THEN
                u.day_requests := u.day_requests + 1;
                v_days[i.ord] := u.day_on;
            ELSE
                v_days[i.ord] := (v_at AT TIME ZONE u.day_zone)::date;
            END IF;
            IF v_at >= u.month_starts_at AND v_at < u.month_ends_at THEN
                u.month_requests := u.month_requests + 1;
                u.reserved_tokens := u.reserved_tokens + v_token;
                u.reserved_nanos := u.reserved_nanos + v_nano;
                v_held := v_held + v_token;
                v_spent := v_spent + v_nano;
            END IF;
            IF v_at >= u.minute_starts_at THEN
                u.minute_requests := u.minute_requests + 1;
            END IF;
            IF u.day_requests >= u.warn_day_requests OR u.month_requests >= u.warn_month_requests THEN
                v_warned := v_warned || u.user_id;
                v_refused := v_refused || NULL::text;
            END IF;
            u.pending_requests := u.pending_requests + 1;
            u.version := u.version + 1;
            u.total_requests := u.total_requests + 1;
            IF v_twins THEN
                v_seen := v_seen || ARRAY['r' || i.key, 'i' || i.idempotency, 'm' || i.import];
            END IF;
            v_ids[i.ord] := tk_uuid7(v_at);
            v_started[i.ord] := v_at;
            v_expires[i.ord] := greatest(v_at, v_now) + p_pending_for;
            v_plans[i.ord] := u.plan_name;
            v_versions[i.ord] := u.version;
            v_tokens[i.ord] := v_token;
            v_nanos[i.ord] := v_nano;
            v_rates[i.ord] := v_rate;
            v_users[n] := u.user_id;
            v_version[n] := u.version;
            v_day[n] := u.day_requests;
            v_month[n] := u.month_requests;
            v_month_tokens[n] := u.reserved_tokens;
            v_month_nanos[n] := u.reserved_nanos;
            v_minute_at[n] := u.minute_starts_at;
            v_minute[n] := u.minute_requests;
        ELSIF v_verdict NOT IN ('replayed', 'key-reused', 'again') AND v_verdict NOT LIKE 'keeps-%' THEN
            -- An unpriced model fits no plan that limits money: null is above every limit.
            v_upgrades[i.ord] := tk_upgrade(u, i.type, i.model, v_token, v_held,
                                            CASE WHEN v_rate IS NOT NULL THEN v_spent + v_nano END);
        END IF;
        v_verdicts[i.ord] := v_verdict;
        v_reasons[i.ord] := v_reason;
        IF v_verdict <> 'replayed' THEN
            v_limits[i.ord] := tk_limits(u.version, u.day_requests, u.month_requests, v_held, v_spent,
                                         u.pending_requests, u);
        END IF;
    END LOOP;

    UPDATE usage AS w
       -- Each admitted one raised the version by one.
       SET total_requests   = w.total_requests + (a.version - w.version),
           pending_requests = w.pending_requests + (a.version - w.version),
           version          = a.version,
           day_requests     = a.day,
           month_requests   = a.month,
           reserved_tokens  = a.tokens,
           reserved_nanos   = a.nanos,
           minute_starts_at = a.minute_at,
           minute_requests  = a.minute,
           due_at           = least(w.due_at, v_now + p_pending_for),
           updated_at       = v_now
      FROM unnest(v_users, v_version, v_day, v_month, v_month_tokens, v_month_nanos, v_minute_at, v_minute)
           AS a (user_id, version, day, month, tokens, nanos, minute_at, minute)
     WHERE w.user_id = a.user_id AND w.user_id = ANY (v_users);

    INSERT INTO chat_requests (id, user_id, client_id, session_id, prompt, model, request_type, category, complexity,
                               reserved_tokens, reserved_nanos, max_tokens, unit_prices, metadata, plan_name, version,
                               started_on, ip_address, user_agent, started_at, expires_at, created_at)
    SELECT a.id, a.user_id, a.key, a.session, a.prompt, a.model, a.type, a.category, a.complexity,
           a.tokens, a.nanos, a.max_tokens, a.rates, a.metadata, a.plan, a.version,
           a.day, a.ip_address, a.user_agent, a.started_at, a.expires_at, v_now
      FROM unnest(v_verdicts, v_ids, p_users, p_keys, p_sessions, p_prompts, p_models, p_types, p_categories, p_complexities,
                  v_tokens, v_nanos, p_max_tokens, v_rates, p_metadata, v_plans, v_versions, v_days, p_ip_addresses,
                  p_user_agents, v_started, v_expires)
           AS a (verdict, id, user_id, key, session, prompt, model, type, category, complexity, tokens, nanos, max_tokens,
                 rates, metadata, plan, version, day, ip_address, user_agent, started_at, expires_at)
     WHERE a.verdict = 'admitted';

    IF cardinality(array_remove(p_keys || p_idempotency || p_imports, NULL)) > 0 THEN
        INSERT INTO request_keys (user_id, namespace, key, request_id, payload_hash, answer, created_at)
        SELECT a.user_id, k.namespace, k.key, a.id, a.hash, jsonb_build_array(a.limits, a.expires_at), v_now
          FROM unnest(v_verdicts, v_ids, p_users, p_keys, p_idempotency, p_imports, p_hashes, v_limits, v_expires)
               AS a (verdict, id, user_id, key, idempotency, import, hash, limits, expires_at)
          CROSS JOIN LATERAL (VALUES ('request', a.key), ('idempotency', a.idempotency), ('import', a.import)) AS k (namespace, key)
         WHERE a.verdict = 'admitted' AND k.key IS NOT NULL;
    END IF;

    IF cardinality(array_remove(p_sessions, NULL)) > 0 THEN
        INSERT INTO chat_sessions (user_id, session_id, started_at, last_at)
        SELECT a.user_id, a.session, min(a.started_at), max(a.started_at)
          FROM unnest(v_verdicts, p_users, p_sessions, v_started) AS a (verdict, user_id, session, started_at)
         WHERE a.verdict = 'admitted' AND a.session IS NOT NULL
         GROUP BY a.user_id, a.session
            ON CONFLICT (user_id, session_id) DO NOTHING;
    END IF;

    IF cardinality(v_warned) > 0 THEN
        FOR v_user IN SELECT DISTINCT w.user_id FROM unnest(v_warned) AS w (user_id) ORDER BY 1 LOOP
            PERFORM tk_warn(v_user, ARRAY(SELECT r.reason FROM unnest(v_warned, v_refused) AS r (user_id, reason)
                                           WHERE r.user_id = v_user AND r.reason IS NOT NULL));
        END LOOP;
    END IF;

    RETURN QUERY
    SELECT a.*
      FROM unnest(v_verdicts, v_ids, v_expires, v_limits, v_reasons, v_allowed, v_needed, v_upgrades) AS a;
END
    $$;

CREATE OR REPLACE FUNCTION tk_includes_model(p_features text[], p_model text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- Entries model:NAME, if there are any, admit only those models; then a request must name one. (One expression, so
    -- that it becomes a part of whatever calls it; entries are printable, so none holds the separator.)
    SELECT coalesce('*' = ANY (p_features) OR 'model:' || p_model = ANY (p_features), false)
           OR E'\x1f' || array_to_string(p_features, E'\x1f') NOT LIKE E'%\x1fmodel:%'
    $$;

CREATE OR REPLACE FUNCTION tk_upgrade(p_usage usage, p_type text, p_model text, p_tokens bigint, p_held bigint, p_spend bigint)
    RETURNS text
    LANGUAGE sql STABLE
    AS $$
    -- The next plan of the catalogue under which the same request would have been admitted: overrides stay with their user.
    SELECT p.name
      FROM tk_overrides(p_usage.user_id, tk_now()) AS o
      CROSS JOIN plans AS p
      CROSS JOIN LATERAL (SELECT tk_limit(o.limits, 'daily_requests', p.daily_requests) AS daily_requests,
                                 tk_limit(o.limits, 'monthly_requests', p.monthly_requests) AS monthly_requests,
                                 tk_limit(o.limits, 'max_tokens_per_request', p.max_tokens_per_request) AS max_tokens,
                                 tk_limit(o.limits, 'monthly_tokens', p.monthly_tokens) AS monthly_tokens,
                                 tk_limit(o.limits, 'monthly_cost_nanos', p.monthly_cost_nanos) AS monthly_nanos,
                                 tk_limit(o.limits, 'requests_per_minute', p.requests_per_minute) AS requests_per_minute,
                                 tk_limit(o.limits, 'concurrent_requests', p.concurrent_requests) AS concurrent_requests,
                                 ARRAY(SELECT jsonb_array_elements_text(p.features)) AS features) AS l
     WHERE p.rank > coalesce((SELECT h.rank FROM plans AS h WHERE h.name = p_usage.plan_name), -1)
       AND (l.daily_requests IS NULL OR l.daily_requests > p_usage.day_requests)
       AND (l.monthly_requests IS NULL OR l.monthly_requests + p_usage.extra_requests > p_usage.month_requests)
       AND (l.max_tokens IS NULL OR l.max_tokens >= p_tokens)
       AND (l.monthly_tokens IS NULL OR l.monthly_tokens + p_usage.extra_tokens >= p_held + p_tokens)
       AND (l.monthly_nanos IS NULL OR l.monthly_nanos + p_usage.extra_nanos >= p_spend)
       AND (l.requests_per_minute IS NULL OR l.requests_per_minute > p_usage.minute_requests)
       AND (l.concurrent_requests IS NULL OR l.concurrent_requests > p_usage.pending_requests)
       AND (p_type = ANY (l.features) OR '*' = ANY (l.features)) AND tk_includes_model(l.features, p_model)
       AND p_usage.is_active
     ORDER BY p.rank
     LIMIT 1
    $$;
