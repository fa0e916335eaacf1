-- Settlement: finishes, ratings and patches of a set, each once.

-- As it was called before.
DROP FUNCTION IF EXISTS tk_finish(uuid[], uuid[], text[], bytea[], text[], text[], text[], text[], jsonb[], bigint[], bigint[], bigint[],
                                  bigint[], bigint[], bigint[], bigint[], bigint[], boolean[], smallint[], boolean[], timestamptz[],
                                  boolean);
DROP FUNCTION IF EXISTS tk_finish(uuid[], uuid[], text[], bytea[], text[], text[], text[], text[], jsonb[], bigint[], bigint[], bigint[],
                                  bigint[], bigint[], bigint[], bigint[], bigint[], boolean[], smallint[], boolean[], timestamptz[],
                                  boolean, text[], bytea[]);
DROP FUNCTION IF EXISTS tk_finish(uuid[], uuid[], text[], bytea[], text[], text[], text[], text[], jsonb[], bigint[], bigint[], bigint[],
                                  bigint[], bigint[], bigint[], bigint[], bigint[], boolean[], smallint[], boolean[], timestamptz[],
                                  boolean, text[], bytea[], boolean[]);

CREATE OR REPLACE FUNCTION tk_finish(
    p_users        uuid[],
    p_ids          uuid[],        -- our id, or
    p_keys         text[],        -- the client's
    p_hashes       bytea[],       -- of the payload
    p_statuses     text[],        -- null: a rating or a patch
    p_responses    text[],
    p_errors       text[],
    p_models       text[],
    p_rates        jsonb[],       -- of the model named here
    p_tokens       bigint[],
    p_input        bigint[],
    p_output       bigint[],
    p_cached       bigint[],
    p_cache_write  bigint[],
    p_reasoning    bigint[],
    p_reported     bigint[],      -- nano-USD
    p_durations    bigint[],      -- ms; null: measured
    p_rated        boolean[],     -- whether a rating (or its removal) is meant
    p_ratings      smallint[],
    p_trusted      boolean[],     -- a service: its cost counts, its failures give the unit back
    p_completed_at timestamptz[], -- of past requests; null: now
    p_measure      boolean,       -- of past requests a missing duration stays unknown
    p_kept         text[] DEFAULT NULL,  -- for which text policy of a plan the texts are fit; null: all
    p_response_hashes bytea[] DEFAULT NULL,  -- of responses as they were sent, where what comes here is not that
    p_refunded     boolean[] DEFAULT NULL,  -- whether a failure gave the unit back where it was recorded; null: as here
    p_brief        boolean DEFAULT false   -- rather give up than wait long for the row of one user
) RETURNS SETOF tk_verdict
    LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_nestloop = off SET enable_mergejoin = off
    AS $$
-- Arrays are read by their subscripts, for unnest() makes a table of each before it joins them. No row travels whole, and no
-- text that is not asked for: either would be unpacked for each item.
DECLARE
    v_now      timestamptz := tk_lock(p_users, p_brief);
    v_ids      uuid[] := p_ids;
    v_id       uuid;
    v_first    uuid;      -- of the ids, and the last: in which partitions the requests can be
    v_last     uuid;
    v_verdicts tk_verdict[];
    v_changes  tk_change[];
    v_is_rare  boolean;   -- whether there is something besides finishes that come in time
    v_item     record;
BEGIN
    IF cardinality(array_remove(p_keys, NULL)) > 0 THEN
        v_ids := ARRAY(SELECT coalesce(p_ids[o.ord], k.request_id)
                         FROM generate_series(1, cardinality(p_users)) AS o (ord)
                         LEFT JOIN LATERAL tk_key(p_users[o.ord], 'request', p_keys[o.ord]) AS k ON true
                        ORDER BY o.ord);
    END IF;

    FOREACH v_id IN ARRAY coalesce(v_ids, '{}') LOOP
        v_first := least(v_first, v_id);
        v_last := greatest(v_last, v_id);
    END LOOP;

    WITH item AS (
        SELECT o.ord, p_users[o.ord] AS user_id, v_ids[o.ord] AS id, p_statuses[o.ord] AS status, p_models[o.ord] AS model,
               p_tokens[o.ord] AS tokens, p_input[o.ord] AS input, p_output[o.ord] AS output, p_cached[o.ord] AS cached,
               p_cache_write[o.ord] AS cache_write, p_reasoning[o.ord] AS reasoning, p_reported[o.ord] AS reported,
               p_durations[o.ord] AS duration, p_rated[o.ord] AS rated, p_ratings[o.ord] AS rating, p_trusted[o.ord] AS trusted,
               coalesce(p_kept[o.ord], 'all') AS kept,
               num_nonnulls(p_responses[o.ord], p_response_hashes[o.ord]) > 0 AS responds
          FROM generate_series(1, cardinality(p_users)) AS o (ord)
    ), found AS (
        SELECT i.*, CASE WHEN r.status <> 'pending' THEN tk_rating(i.user_id, i.id) END AS old_rating,
               u.version, u.plan_name AS plan, u.day_requests, u.daily_requests, u.month_requests,
               u.monthly_requests + u.extra_requests AS monthly_requests, u.month_tokens + u.reserved_tokens AS month_tokens,
               u.monthly_tokens + u.extra_tokens AS monthly_tokens, u.month_cost_nanos + u.reserved_nanos AS month_nanos,
               u.monthly_cost_nanos + u.extra_nanos AS monthly_nanos, u.day_ends_at, u.month_ends_at, u.is_active,
               CASE WHEN u.burned_requests + u.burned_tokens + u.burned_nanos > 0 THEN tk_over(u.user_id) END AS over,
               u.minute_requests, u.requests_per_minute, u.minute_starts_at, u.pending_requests, u.concurrent_requests, u.refunds,
               r.client_id, r.session_id, r.model AS old_model, r.request_type, r.category, r.complexity, r.plan_name,
               r.started_at, r.started_on, r.status AS old_status, r.error_code, r.late AS was_late, r.cost_nanos, r.cost_source,
               r.tokens_used, r.duration AS old_duration, r.finish_limits, r.reserved_tokens, r.reserved_nanos,
               r.started_at >= u.day_starts_at AS today, r.started_at >= u.month_starts_at AS this_month,
               r.max_tokens IS NOT NULL AND coalesce(i.tokens, 0) > r.reserved_tokens AS over_reserved,
               i.model IS NOT NULL AND NOT tk_includes_model(u.features, i.model) AS outside_plan,
               CASE WHEN i.model IS NULL OR i.model = r.model THEN r.unit_prices
                    ELSE coalesce(tk_own_rates(i.model, r.started_at), p_rates[i.ord]) END AS rates,
               CASE WHEN r.id IS NULL THEN 'unknown'
                    -- Of the same twice in a set the second is decided with the next one.
                    WHEN array_position(v_ids, i.id) < i.ord AND tk_is_again(p_users, v_ids, i.ord) THEN 'again'
                    WHEN i.status IS NULL AND i.rated AND r.status = 'pending' THEN 'still-pending'
                    WHEN i.status IS NULL AND i.responds
                         AND tk_response_hash(r.response, r.response_hash)
                             <> tk_response_hash(p_responses[i.ord], p_response_hashes[i.ord])
                    THEN 'already-finished'
                    WHEN i.status IS NOT NULL AND r.status <> 'pending' AND (r.error_code IS DISTINCT FROM 'expired' OR r.late)
                    THEN CASE WHEN r.finish_hash = p_hashes[i.ord] THEN 'replayed' ELSE 'already-finished' END
                    ELSE coalesce(
                        CASE WHEN i.kept <> 'any' THEN
                            'keeps-' || nullif(coalesce((SELECT jsonb_object_agg(p.name, p.text_policy) FROM plans AS p
                                                          WHERE p.text_policy <> 'all') ->> u.plan_name, 'all'), i.kept) END,
                        CASE WHEN i.status IS NULL THEN 'patched' ELSE 'finished' END) END AS verdict
          FROM item AS i
          -- One row each, by its key: with a limit no plan walks the partitions instead. The bounds spare it those that hold
          -- none of the set.
          LEFT JOIN LATERAL (SELECT q.* FROM chat_requests AS q
                              WHERE q.user_id = i.user_id AND q.id = i.id AND q.id BETWEEN v_first AND v_last LIMIT 1) AS r ON true
          LEFT JOIN LATERAL (SELECT q.* FROM usage AS q WHERE q.user_id = i.user_id LIMIT 1) AS u ON true
        OFFSET 0   -- so that the rates are looked for once
    ), priced AS (
        SELECT f.*,
               CASE WHEN f.input IS NULL AND f.output IS NULL THEN NULL
                    ELSE tk_cost(f.rates, coalesce(f.input, 0), coalesce(f.output, 0), coalesce(f.cached, 0),
                                 coalesce(f.cache_write, 0), coalesce(f.reasoning, 0)) END AS computed
          FROM found AS f
        OFFSET 0   -- so that a cost is computed once
    ), settled AS (
        SELECT p.*,
               coalesce(p.model, p.old_model) AS final_model,
               coalesce(p_completed_at[p.ord], greatest(v_now, p.started_at)) AS ended_at,
               p.verdict = 'finished' AND p.old_status = 'failed' AS late,
               p.verdict = 'finished' AND p.status = 'failed' AND coalesce(p_refunded[p.ord], p.trusted AND p.refunds) AS refunded,
               CASE WHEN p.reported IS NOT NULL AND (p.trusted OR p.computed IS NULL) THEN p.reported ELSE p.computed END AS cost,
               CASE WHEN p.reported IS NOT NULL AND (p.trusted OR p.computed IS NULL) THEN 'reported'
                    WHEN p.computed IS NOT NULL THEN 'computed' ELSE 'unpriced' END AS source,
               CASE WHEN p.duration IS NOT NULL OR NOT p_measure THEN p.duration
                    ELSE round(extract(epoch FROM greatest(v_now, p.started_at) - p.started_at) * 1000)::bigint END AS took,
               CASE WHEN p.rated THEN p.rating ELSE p.old_rating END AS final_rating,
               -- what this item adds to its user's version, windows and reservations
               CASE WHEN p.verdict = 'finished' OR (p.verdict = 'patched' AND p.rated AND p.rating IS DISTINCT FROM p.old_rating)
                    THEN 1 ELSE 0 END AS ops,
               CASE WHEN p.verdict = 'finished' AND p.old_status = 'pending' THEN 1 ELSE 0 END AS ended,
               CASE WHEN p.verdict = 'finished' AND p.old_status = 'pending' THEN p.reserved_tokens ELSE 0 END AS released_tokens,
               CASE WHEN p.verdict = 'finished' AND p.old_status = 'pending' THEN p.reserved_nanos ELSE 0 END AS released_nanos
          FROM priced AS p
    ), used AS (
        SELECT s.*,
               s.month_requests - sum(CASE WHEN s.refunded AND s.this_month THEN 1 ELSE 0 END) OVER w AS requests_then,
               s.month_tokens + tk_sum(CASE WHEN s.verdict = 'finished' AND s.this_month
                                            THEN coalesce(s.tokens, 0) - s.released_tokens ELSE 0 END) OVER w AS tokens_then,
               s.month_nanos + tk_sum(CASE WHEN s.verdict = 'finished' AND s.this_month
                                           THEN coalesce(s.cost, 0) - s.released_nanos ELSE 0 END) OVER w AS nanos_then
          FROM settled AS s
        WINDOW w AS (PARTITION BY s.user_id ORDER BY s.ord)
    ), decided AS MATERIALIZED (
        SELECT s.*,
               CASE WHEN s.verdict = 'replayed' THEN s.finish_limits
                    WHEN s.verdict IN ('finished', 'patched') THEN tk_limits(
                        s.version + sum(s.ops) OVER w, s.plan,
                        s.day_requests - sum(CASE WHEN s.refunded AND s.today THEN 1 ELSE 0 END) OVER w, s.daily_requests,
                        s.requests_then, tk_limit_left(s.monthly_requests, s.over, 1, s.requests_then),
                        s.tokens_then, tk_limit_left(s.monthly_tokens, s.over, 3, s.tokens_then),
                        s.nanos_then, tk_limit_left(s.monthly_nanos, s.over, 5, s.nanos_then),
                        s.day_ends_at, s.month_ends_at, s.is_active,
                        s.minute_requests, s.requests_per_minute, s.minute_starts_at,
                        s.pending_requests - sum(s.ended) OVER w, s.concurrent_requests)
                    END AS limits
          FROM used AS s
        WINDOW w AS (PARTITION BY s.user_id ORDER BY s.ord)
    ), stored AS (
        -- The arrays bound what is read of the requests, from whichever side a plan begins.
        UPDATE chat_requests AS r
           SET status = d.status, model = d.final_model, error_message = p_errors[d.ord], error_code = NULL,
               response = CASE WHEN p_response_hashes[d.ord] IS NULL THEN coalesce(p_responses[d.ord], r.response)
                               ELSE p_responses[d.ord] END,
               response_hash = CASE WHEN p_responses[d.ord] IS NULL THEN coalesce(p_response_hashes[d.ord], r.response_hash)
                                    ELSE p_response_hashes[d.ord] END,
               late = d.late, refunded = d.refunded, outside_plan = d.outside_plan, over_reserved = d.over_reserved,
               tokens_used = d.tokens, cost_nanos = d.cost, cost_source = d.source, computed_nanos = d.computed,
               reported_nanos = d.reported, duration = d.took, unit_prices = d.rates, finish_hash = p_hashes[d.ord],
               finish_limits = d.limits, completed_at = d.ended_at
          FROM decided AS d
         WHERE d.verdict = 'finished' AND r.user_id = d.user_id AND r.id = d.id
           AND r.user_id = ANY (p_users) AND r.id = ANY (v_ids) AND r.id BETWEEN v_first AND v_last
    ), analysed AS (
        INSERT INTO request_analytics (id, user_id, request_id, request_type, category, complexity, response_time,
                                       tokens_input, tokens_output, tokens_cached, tokens_cache_write, tokens_reasoning,
                                       user_rating, was_successful, created_at)
        SELECT d.id, d.user_id, d.id, d.request_type, d.category, d.complexity, d.took,
               d.input, d.output, d.cached, d.cache_write, d.reasoning,
               d.final_rating, d.status = 'completed', d.ended_at
          FROM decided AS d
         WHERE d.verdict = 'finished' AND NOT d.late   -- what had expired has its row
    )
    SELECT array_agg(ROW(d.user_id, d.ops, CASE WHEN d.refunded THEN -1 ELSE 0 END, d.released_tokens, d.released_nanos,
                         d.started_at, d.started_on, d.plan_name, d.session_id,
                         d.final_model, d.category, d.request_type, d.complexity,
                         CASE WHEN d.status = 'completed' THEN 1 ELSE 0 END, CASE WHEN d.status = 'failed' THEN 1 ELSE 0 END,
                         coalesce(d.tokens, 0), coalesce(d.input, 0), coalesce(d.output, 0), coalesce(d.cached, 0),
                         coalesce(d.cache_write, 0), coalesce(d.reasoning, 0), coalesce(d.cost, 0),
                         CASE WHEN tk_is_unpriced(d.status, d.cost, d.tokens) THEN 1 ELSE 0 END,
                         CASE WHEN d.status = 'completed' AND d.took IS NOT NULL THEN 1 ELSE 0 END,
                         CASE WHEN d.status = 'completed' THEN coalesce(d.took, 0) ELSE 0 END,
                         CASE WHEN d.final_rating > 0 THEN 1 ELSE 0 END, coalesce(d.final_rating, 0), d.ended)::tk_change)
               FILTER (WHERE d.verdict = 'finished')
           -- A late finish takes back what the expiry had booked, and another rating what the one before had added.
           || array_agg(ROW(d.user_id, CASE WHEN d.late THEN 0 ELSE 1 END, 0, 0, 0, d.started_at, d.started_on, d.plan_name,
                            d.session_id, d.old_model, d.category, d.request_type, d.complexity,
                            0, CASE WHEN d.late THEN -1 ELSE 0 END, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                            CASE WHEN d.late OR d.rating IS NULL THEN 0 ELSE 1 END - CASE WHEN d.old_rating IS NULL THEN 0 ELSE 1 END,
                            CASE WHEN d.late THEN 0 ELSE coalesce(d.rating, 0) END - coalesce(d.old_rating, 0), 0)::tk_change)
              FILTER (WHERE d.late OR d.verdict = 'patched' AND d.ops = 1),
           array_agg(ROW(d.ord, d.verdict, d.id, d.client_id,
                         CASE WHEN d.verdict = 'finished' THEN d.status ELSE d.old_status END,
                         CASE WHEN d.verdict = 'finished' THEN NULL ELSE d.error_code END,
                         CASE WHEN d.verdict = 'finished' THEN d.late ELSE d.was_late END,
                         CASE WHEN d.verdict = 'finished' THEN d.cost ELSE d.cost_nanos END,
                         CASE WHEN d.verdict = 'finished' THEN d.source ELSE d.cost_source END,
                         CASE WHEN d.verdict = 'finished' THEN d.tokens ELSE d.tokens_used END,
                         CASE WHEN d.verdict = 'finished' THEN d.took ELSE d.old_duration END,
                         d.limits)::tk_verdict ORDER BY d.ord),
           bool_or(d.late OR d.verdict = 'patched')
      INTO v_changes, v_verdicts, v_is_rare
      FROM decided AS d;

    IF v_is_rare THEN
        FOR v_item IN SELECT v.* FROM unnest(v_verdicts) AS v WHERE v.verdict = 'finished' AND v.late LOOP
            UPDATE request_analytics AS a
               SET response_time = v_item.duration, tokens_input = p_input[v_item.ord], tokens_output = p_output[v_item.ord],
                   tokens_cached = p_cached[v_item.ord], tokens_cache_write = p_cache_write[v_item.ord],
                   tokens_reasoning = p_reasoning[v_item.ord], was_successful = v_item.status = 'completed',
                   user_rating = CASE WHEN p_rated[v_item.ord] THEN p_ratings[v_item.ord] ELSE a.user_rating END
             WHERE a.user_id = p_users[v_item.ord] AND a.id = v_item.id;
        END LOOP;
        FOR v_item IN SELECT v.* FROM unnest(v_verdicts) AS v WHERE v.verdict = 'patched' LOOP
            UPDATE chat_requests AS r SET response = p_responses[v_item.ord], response_hash = p_response_hashes[v_item.ord]
             WHERE r.user_id = p_users[v_item.ord] AND r.id = v_item.id AND r.response IS NULL
               AND num_nonnulls(p_responses[v_item.ord], p_response_hashes[v_item.ord]) > 0;
            UPDATE request_analytics AS a SET user_rating = p_ratings[v_item.ord]
             WHERE a.user_id = p_users[v_item.ord] AND a.id = v_item.id AND p_rated[v_item.ord];
            -- A response that is filled in is no change of a number, but of what the dashboard shows.
            UPDATE usage AS u SET updated_at = v_now WHERE u.user_id = p_users[v_item.ord];
        END LOOP;
    END IF;
    IF v_changes IS NOT NULL THEN
        PERFORM tk_apply(v_changes, v_now, p_users);
    END IF;
    RETURN QUERY SELECT * FROM unnest(v_verdicts);
END
    $$;

CREATE OR REPLACE FUNCTION tk_is_again(p_users uuid[], p_ids uuid[], p_ord integer) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    -- Whether the same request of the same user is meant by an item before.
    SELECT EXISTS (SELECT FROM generate_series(1, p_ord - 1) AS b (ord)
                    WHERE p_ids[b.ord] = p_ids[p_ord] AND p_users[b.ord] = p_users[p_ord])
    $$;

CREATE OR REPLACE FUNCTION tk_rating(p_user uuid, p_id uuid) RETURNS smallint
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- Only what has ended has one: in a function it is looked for, and made ready to be, only then.
    SELECT q.user_rating FROM request_analytics AS q WHERE q.user_id = p_user AND q.id = p_id LIMIT 1
    $$;

CREATE OR REPLACE FUNCTION tk_response_hash(p_response text, p_hash bytea) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- Tells a response as it was sent, whether or not it was kept like that; null if there was none.
    SELECT coalesce(p_hash, sha256(convert_to(p_response, 'UTF8')))
    $$;

CREATE OR REPLACE FUNCTION tk_own_rates(p_model text, p_at timestamptz) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- The operator's own price of a model at an instant; of requests that name none, what `unknown` costs.
    SELECT p.rates FROM model_prices AS p
     WHERE p.model = coalesce(p_model, 'unknown') AND p.effective_from <= p_at
     ORDER BY p.effective_from DESC
     LIMIT 1
    $$;

CREATE OR REPLACE FUNCTION tk_is_unpriced(p_status text, p_cost_nanos bigint, p_tokens bigint) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    -- A cost that nobody knows: of every completed request without one, and of failed ones that used tokens.
    SELECT p_cost_nanos IS NULL AND (p_status = 'completed' OR coalesce(p_tokens, 0) > 0)
    $$;
