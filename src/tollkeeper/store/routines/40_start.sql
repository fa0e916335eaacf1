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
DROP FUNCTION IF EXISTS tk_start(uuid[], text[], text[], text[], bytea[], timestamptz[], text[], text[], text[], text[], text[], text[],
                                 bigint[], bigint[], jsonb[], jsonb[], text[], text[], interval, text[]);
DROP FUNCTION IF EXISTS tk_start(uuid[], text[], text[], text[], bytea[], timestamptz[], text[], text[], text[], text[], text[], text[],
                                 bigint[], bigint[], jsonb[], jsonb[], text[], text[], interval, text[], timestamptz[]);

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
    p_kept           text[] DEFAULT NULL,  -- for which text policy of a plan the texts are fit, or any; null: all
    p_deadlines      timestamptz[] DEFAULT NULL,  -- when past requests expired that nobody finished in time; null: from now on
    p_brief          boolean DEFAULT false  -- rather give up than wait long for the row of one user
) RETURNS TABLE (
    verdict    text,
    id         uuid,
    expires_at timestamptz,
    limits     jsonb,
    reason     text,                -- which limit or feature refused; the client's own id of what a key was used for
    allowed    bigint,
    needed     bigint,
    upgrade_to text
)
    LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_nestloop = off SET enable_mergejoin = off
    AS $$
#variable_conflict use_column
-- What a set does not need costs it nothing: an expression is made ready when it is first reached in a transaction. And an
-- array is read by its subscripts, for unnest() makes a table of each before it joins them.
DECLARE
    v_now       timestamptz := tk_lock(p_users, p_brief);
    v_size      integer := cardinality(p_users);
    v_due_at    timestamptz := v_now + p_pending_for;
    -- one element for each item
    v_decided   tk_decision[] := array_fill(ROW('unknown-user', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                                                NULL, NULL, NULL)::tk_decision, ARRAY[v_size]);
    -- of the items with names: what is known by them, and whether any two have one in common, which is seldom
    v_named     boolean := cardinality(array_remove(p_keys || p_idempotency || p_imports, NULL)) > 0;
    v_known     uuid[];
    v_hashes    bytea[];
    v_answers   jsonb[];
    v_twins     boolean;
    -- the rows of the users with something admitted, as they are to be
    v_used      usage[];
    -- of whom there is something to tell, and the limit that refused
    v_warned    uuid[];
    v_refused   text[];
    -- the user at hand
    u           usage;
    v_moment    timestamptz;   -- now, as this user's time has it
    v_seen      text[];
    n           integer := 0;
    -- the item at hand
    i           record;
    v_at        timestamptz;
    v_rate      jsonb;
    v_nano      bigint;
    v_verdict   text;
    v_reason    text;
    v_day       date;
    v_user      uuid;
BEGIN
    IF p_deadlines IS NOT NULL THEN
        v_due_at := least(v_due_at, (SELECT min(d.at) FROM unnest(p_deadlines) AS d (at)));
    END IF;
    IF v_named THEN
        SELECT array_agg(coalesce(k.request_id, k2.request_id, k3.request_id) ORDER BY o.ord),
               -- Names of two requests fit no payload.
               array_agg(CASE WHEN k.request_id <> k2.request_id THEN '' ELSE
                              coalesce(k.payload_hash, k2.payload_hash, k3.payload_hash) END ORDER BY o.ord),
               array_agg(coalesce(k.answer, k2.answer, k3.answer) ORDER BY o.ord)
          INTO v_known, v_hashes, v_answers
          FROM generate_series(1, v_size) AS o (ord)
          LEFT JOIN LATERAL tk_key(p_users[o.ord], 'request', p_keys[o.ord]) AS k ON true
          LEFT JOIN LATERAL tk_key(p_users[o.ord], 'idempotency', p_idempotency[o.ord]) AS k2 ON true
          LEFT JOIN LATERAL tk_key(p_users[o.ord], 'import', p_imports[o.ord]) AS k3 ON true;
        v_twins := v_size > 1 AND EXISTS (
            SELECT FROM generate_series(1, v_size) AS o (ord)
              CROSS JOIN LATERAL (VALUES ('r', p_keys[o.ord]), ('i', p_idempotency[o.ord]), ('m', p_imports[o.ord])) AS k (kind, key)
             WHERE k.key IS NOT NULL
             GROUP BY p_users[o.ord], k.kind, k.key HAVING count(*) > 1);
    END IF;

    FOR i IN
        SELECT o.ord, p_started_at[o.ord] AS started_at, p_models[o.ord] AS model, p_types[o.ord] AS type,
               p_input_tokens[o.ord] AS input_tokens, coalesce(p_max_tokens[o.ord], 0) AS max_tokens,
               p_input_tokens[o.ord] + coalesce(p_max_tokens[o.ord], 0) AS tokens, p_rates[o.ord] AS rates,
               coalesce(p_kept[o.ord], 'all') AS kept, w AS usage,
               EXISTS (SELECT FROM model_prices) AS has_own_rates,
               -- What is kept of the texts of whoever is on their plan.
               coalesce((SELECT p.text_policy FROM plans AS p WHERE p.name = w.plan_name AND p.text_policy <> 'all'), 'all') AS policy
          FROM generate_series(1, v_size) AS o (ord)
          JOIN usage AS w ON w.user_id = p_users[o.ord]
         WHERE w.user_id = ANY (p_users)   -- for planners: whichever side they begin with, these rows are all
         ORDER BY w.user_id, o.ord
    LOOP
        IF u.user_id IS DISTINCT FROM (i.usage).user_id THEN
            u := i.usage;
            -- A user's time never runs back behind their window, whatever the clock does.
            v_moment := greatest(v_now, u.day_starts_at, u.month_starts_at, u.minute_starts_at);
            IF u.minute_starts_at + interval '1 minute' <= v_moment THEN
                u.minute_starts_at := date_trunc('minute', v_moment);
                u.minute_requests := 0;
            END IF;
            v_seen := NULL;
            n := coalesce(cardinality(v_used), 0) + 1;
        END IF;
        v_at := coalesce(i.started_at, v_moment);
        v_rate := CASE WHEN i.has_own_rates THEN coalesce(tk_own_rates(i.model, v_at), i.rates) ELSE i.rates END;
        v_nano := coalesce(tk_cost(v_rate, i.input_tokens, i.max_tokens, 0, 0, 0), 0);
        v_verdict := 'admitted';
        v_reason := NULL;

        IF v_known[i.ord] IS NOT NULL THEN
            v_verdict := CASE WHEN v_hashes[i.ord] = p_hashes[i.ord] THEN 'replayed' ELSE 'key-reused' END;
        ELSIF v_twins AND ('r' || p_keys[i.ord] = ANY (v_seen) OR 'i' || p_idempotency[i.ord] = ANY (v_seen)
                           OR 'm' || p_imports[i.ord] = ANY (v_seen)) THEN
            v_verdict := 'again';   -- its twin is in this very set: decided in the next one
        ELSIF i.started_at IS NOT NULL THEN
            IF i.started_at > v_now THEN
                v_verdict := 'in-the-future';
            END IF;
        ELSE
            -- What speaks against it first; after that comes null.
            v_reason := CASE WHEN NOT u.is_active THEN 'inactive'
                             WHEN NOT (i.type = ANY (u.features) OR '*' = ANY (u.features)) THEN 'requestType'
                             WHEN NOT tk_includes_model(u.features, i.model) THEN 'model'
                             WHEN i.tokens > u.max_tokens_per_request THEN 'too-many-tokens'
                             WHEN u.monthly_cost_nanos IS NOT NULL AND v_rate IS NULL THEN 'unpriced-model'
                             WHEN u.day_requests >= u.daily_requests THEN 'daily'
                             WHEN u.month_requests >= u.monthly_requests + u.extra_requests THEN 'monthly'
                             -- Nothing is so small that it needs no token.
                             WHEN u.month_tokens + u.reserved_tokens + greatest(i.tokens, 1) > u.monthly_tokens + u.extra_tokens
                             THEN 'tokens'
                             WHEN u.month_cost_nanos + u.reserved_nanos + v_nano > u.monthly_cost_nanos + u.extra_nanos THEN 'cost'
                             WHEN u.minute_requests >= u.requests_per_minute THEN 'perMinute'
                             WHEN u.pending_requests >= u.concurrent_requests THEN 'concurrent' END;
            IF v_reason IS NOT NULL THEN
                v_verdict := CASE WHEN v_reason IN ('inactive', 'too-many-tokens', 'unpriced-model') THEN v_reason
                                  WHEN v_reason IN ('requestType', 'model') THEN 'not-in-plan' ELSE 'limit' END;
                -- What was only reserved comes back: a limit is reached once what is used leaves too little by itself, and
                -- nothing less is left to tell.
                IF (CASE v_reason
                        WHEN 'daily' THEN u.warn_day_requests IS NOT NULL
                        WHEN 'monthly' THEN u.warn_month_requests IS NOT NULL
                        WHEN 'tokens' THEN u.warn_month_tokens >= u.monthly_tokens + u.extra_tokens
                                           AND u.month_tokens + i.tokens > u.monthly_tokens + u.extra_tokens
                        WHEN 'cost' THEN u.warn_month_nanos >= u.monthly_cost_nanos + u.extra_nanos
                                         AND u.month_cost_nanos + v_nano > u.monthly_cost_nanos + u.extra_nanos END) THEN
                    v_warned := v_warned || u.user_id;
                    v_refused := v_refused || CASE v_reason WHEN 'daily' THEN 'dailyRequests' WHEN 'monthly' THEN 'monthlyRequests'
                                                            WHEN 'tokens' THEN 'monthlyTokens' ELSE 'monthlyCost' END;
                END IF;
            END IF;
        END IF;

        IF v_verdict = 'admitted' AND i.kept NOT IN (i.policy, 'any') THEN
            v_verdict := 'keeps-' || i.policy;   -- decided again with the texts that are fit for it
        END IF;

        IF v_verdict = 'admitted' THEN
            IF v_at >= u.day_starts_at AND v_at < u.day_ends_at THEN
                u.day_requests := u.day_requests + 1;
                v_day := u.day_on;
            ELSE
                v_day := tk_midnight(v_at, u.day_zone)::date;
            END IF;
            IF v_at >= u.month_starts_at AND v_at < u.month_ends_at THEN
                u.month_requests := u.month_requests + 1;
                u.reserved_tokens := u.reserved_tokens + i.tokens;
                u.reserved_nanos := u.reserved_nanos + v_nano;
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
            IF v_twins THEN
                v_seen := v_seen || ARRAY['r' || p_keys[i.ord], 'i' || p_idempotency[i.ord], 'm' || p_imports[i.ord]];
            END IF;
            v_used[n] := u;
            v_decided[i.ord] := ROW(v_verdict, tk_uuid7(v_at), v_at,
                                    coalesce(p_deadlines[i.ord], greatest(v_at, v_now) + p_pending_for), v_day, u.plan_name,
                                    u.version, i.tokens, v_nano, v_rate,
                                    tk_limits(u.version, u.day_requests, u.month_requests, u.month_tokens + u.reserved_tokens,
                                              u.month_cost_nanos + u.reserved_nanos, u.pending_requests, u),
                                    NULL, NULL, NULL, NULL)::tk_decision;
        ELSIF v_verdict = 'replayed' THEN
            v_decided[i.ord] := ROW(v_verdict, v_known[i.ord], NULL, v_answers[i.ord] ->> 1, NULL, NULL, NULL, NULL, NULL, NULL,
                                    v_answers[i.ord] -> 0, NULL, NULL, NULL, NULL)::tk_decision;
        ELSE
            v_decided[i.ord] := ROW(v_verdict, v_known[i.ord], NULL, v_answers[i.ord] ->> 1, NULL, NULL, NULL, NULL, NULL, NULL,
                                    tk_limits(u.version, u.day_requests, u.month_requests, u.month_tokens + u.reserved_tokens,
                                              u.month_cost_nanos + u.reserved_nanos, u.pending_requests, u)
                                    || CASE WHEN v_verdict = 'limit' THEN tk_window(v_reason, v_moment, u) ELSE '[]' END,
                                    CASE WHEN v_verdict IN ('not-in-plan', 'limit') THEN v_reason
                                         WHEN v_verdict = 'key-reused' THEN
                                              (SELECT r.client_id FROM chat_requests AS r
                                                WHERE r.user_id = u.user_id AND r.id = v_known[i.ord]) END,
                                    CASE WHEN v_verdict = 'too-many-tokens' THEN u.max_tokens_per_request END,
                                    CASE WHEN v_verdict = 'too-many-tokens' THEN i.tokens
                                         WHEN v_reason = 'tokens' THEN greatest(i.tokens, 1)
                                         WHEN v_reason = 'cost' THEN v_nano
                                         WHEN v_verdict = 'limit' THEN 1 END,
                                    -- An unpriced model fits no plan that limits money: null is above every limit.
                                    CASE WHEN v_verdict NOT IN ('key-reused', 'again') AND v_verdict NOT LIKE 'keeps-%' THEN
                                        tk_upgrade(u, i.type, i.model, greatest(i.tokens, 1), u.month_tokens + u.reserved_tokens,
                                                   CASE WHEN v_rate IS NOT NULL
                                                        THEN u.month_cost_nanos + u.reserved_nanos + v_nano END) END)::tk_decision;
        END IF;
    END LOOP;

    IF v_used IS NOT NULL THEN
        UPDATE usage AS w
           -- Each admitted one raised the version by one.
           SET total_requests   = w.total_requests + (a.version - w.version),
               pending_requests = a.pending_requests,
               version          = a.version,
               day_requests     = a.day_requests,
               month_requests   = a.month_requests,
               reserved_tokens  = a.reserved_tokens,
               reserved_nanos   = a.reserved_nanos,
               minute_starts_at = a.minute_starts_at,
               minute_requests  = a.minute_requests,
               due_at           = least(w.due_at, v_due_at),
               updated_at       = v_now
          FROM unnest(v_used) AS a
         WHERE w.user_id = a.user_id AND w.user_id = ANY (p_users);

        INSERT INTO chat_requests (id, user_id, client_id, session_id, prompt, model, request_type, category, complexity,
                                   reserved_tokens, reserved_nanos, max_tokens, unit_prices, metadata, plan_name, version,
                                   started_on, ip_address, user_agent, started_at, expires_at, created_at)
        SELECT d.id, p_users[d.ordinality], p_keys[d.ordinality], p_sessions[d.ordinality], p_prompts[d.ordinality],
               p_models[d.ordinality], p_types[d.ordinality], p_categories[d.ordinality], p_complexities[d.ordinality],
               d.tokens, d.nanos, p_max_tokens[d.ordinality], d.rates, p_metadata[d.ordinality], d.plan_name, d.version,
               d.started_on, p_ip_addresses[d.ordinality], p_user_agents[d.ordinality], d.started_at, d.expires_at, v_now
          FROM unnest(v_decided) WITH ORDINALITY AS d
         WHERE d.verdict = 'admitted';

        IF cardinality(array_remove(p_sessions, NULL)) > 0 THEN
            INSERT INTO chat_sessions (user_id, session_id, started_at, last_at)
            SELECT p_users[o.ord], p_sessions[o.ord], min((v_decided[o.ord]).started_at), max((v_decided[o.ord]).started_at)
              FROM generate_series(1, v_size) AS o (ord)
             WHERE (v_decided[o.ord]).verdict = 'admitted' AND p_sessions[o.ord] IS NOT NULL
             GROUP BY 1, 2
                ON CONFLICT (user_id, session_id) DO NOTHING;
        END IF;
    END IF;

    IF v_named THEN
        INSERT INTO request_keys (user_id, namespace, key, request_id, payload_hash, answer, created_at)
        SELECT p_users[d.ordinality], k.namespace, k.key, d.id, p_hashes[d.ordinality],
               jsonb_build_array(d.limits, d.expires_at), v_now
          FROM unnest(v_decided) WITH ORDINALITY AS d
          CROSS JOIN LATERAL (VALUES ('request', p_keys[d.ordinality]), ('idempotency', p_idempotency[d.ordinality]),
                                     ('import', p_imports[d.ordinality])) AS k (namespace, key)
         -- What is repeated under its own id may come with a header that is new.
         WHERE (d.verdict = 'admitted' OR d.verdict = 'replayed' AND k.namespace = 'idempotency' AND p_keys[d.ordinality] IS NOT NULL)
           AND k.key IS NOT NULL
            ON CONFLICT (user_id, namespace, key) DO NOTHING;
    END IF;

    IF v_warned IS NOT NULL THEN
        FOR v_user IN SELECT DISTINCT w.user_id FROM unnest(v_warned) AS w (user_id) ORDER BY 1 LOOP
            PERFORM tk_warn(v_user, ARRAY(SELECT r.reason FROM unnest(v_warned, v_refused) AS r (user_id, reason)
                                           WHERE r.user_id = v_user AND r.reason IS NOT NULL));
        END LOOP;
    END IF;

    RETURN QUERY
    SELECT d.verdict, d.id, d.expires_at, d.limits, d.reason, d.allowed, d.needed, d.upgrade_to FROM unnest(v_decided) AS d;
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
