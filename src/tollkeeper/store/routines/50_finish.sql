-- Settlement: finishes, ratings and patches of a set, each once.

-- As it was called before.
DROP FUNCTION IF EXISTS tk_finish(uuid[], uuid[], text[], bytea[], text[], text[], text[], text[], jsonb[], bigint[], bigint[], bigint[],
                                  bigint[], bigint[], bigint[], bigint[], bigint[], boolean[], smallint[], boolean[], timestamptz[],
                                  boolean);

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
    p_response_hashes bytea[] DEFAULT NULL  -- of responses as they were sent, where what comes here is not that
) RETURNS SETOF tk_verdict
    LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_nestloop = off SET enable_mergejoin = off
    AS $$
DECLARE
    v_now      timestamptz := tk_lock(p_users);
    v_policies jsonb := (SELECT jsonb_object_agg(p.name, p.text_policy) FROM plans AS p WHERE p.text_policy <> 'all');
    v_verdicts tk_verdict[];
    v_changes  tk_change[];
    v_patch    record;
BEGIN
    WITH item AS (
        SELECT o.*, coalesce(o.given_id, k.request_id) AS id
          FROM unnest(p_users, p_ids, p_keys, p_hashes, p_statuses, p_responses, p_errors, p_models, p_rates, p_tokens, p_input,
                      p_output, p_cached, p_cache_write, p_reasoning, p_reported, p_durations, p_rated, p_ratings, p_trusted,
                      p_completed_at, p_kept, p_response_hashes) WITH ORDINALITY
               AS o (user_id, given_id, key, hash, status, response, error, model, rates, tokens, input, output, cached,
                     cache_write, reasoning, reported, duration, rated, rating, trusted, completed_at, kept, response_hash, ord)
          LEFT JOIN LATERAL tk_key(o.user_id, 'request', o.key) AS k ON true
    ), found AS (
        SELECT i.*, r AS row, a.user_rating AS old_rating, u AS usage,
               CASE WHEN r.id IS NULL THEN 'unknown'
                    WHEN row_number() OVER (PARTITION BY i.user_id, i.id ORDER BY i.ord) > 1 THEN 'again'
                    WHEN i.status IS NULL AND i.rated AND r.status = 'pending' THEN 'still-pending'
                    WHEN i.status IS NULL AND num_nonnulls(i.response, i.response_hash) > 0
                         AND tk_response_hash(r.response, r.response_hash) <> tk_response_hash(i.response, i.response_hash)
                    THEN 'already-finished'
                    WHEN i.status IS NOT NULL AND r.status <> 'pending' AND (r.error_code IS DISTINCT FROM 'expired' OR r.late)
                    THEN CASE WHEN r.finish_hash = i.hash THEN 'replayed' ELSE 'already-finished' END
                    WHEN coalesce(i.kept, 'all') NOT IN (coalesce(v_policies ->> u.plan_name, 'all'), 'any')
                    THEN 'keeps-' || coalesce(v_policies ->> u.plan_name, 'all')
                    WHEN i.status IS NULL THEN 'patched'
                    ELSE 'finished' END AS verdict
          FROM item AS i
          -- One row each, by its key: with a limit no plan walks the partitions instead.
          LEFT JOIN LATERAL (SELECT q.* FROM chat_requests AS q WHERE q.user_id = i.user_id AND q.id = i.id LIMIT 1) AS r ON true
          LEFT JOIN LATERAL (SELECT q.* FROM request_analytics AS q WHERE q.user_id = i.user_id AND q.id = i.id LIMIT 1) AS a ON true
          LEFT JOIN usage AS u ON u.user_id = i.user_id AND u.user_id = ANY (p_users)
    ), priced AS MATERIALIZED (   -- so that a cost is computed once
        SELECT f.*,
               CASE WHEN f.input IS NULL AND f.output IS NULL THEN NULL
                    ELSE tk_cost(CASE WHEN f.model IS NULL OR f.model = (f.row).model THEN (f.row).unit_prices
                                      ELSE coalesce(tk_own_rates(f.model, (f.row).started_at), f.rates) END,
                                 coalesce(f.input, 0), coalesce(f.output, 0), coalesce(f.cached, 0),
                                 coalesce(f.cache_write, 0), coalesce(f.reasoning, 0)) END AS computed
          FROM found AS f
    ), settled AS (
        SELECT p.*,
               coalesce(p.model, (p.row).model) AS final_model,
               coalesce(p.completed_at, greatest(v_now, (p.row).started_at)) AS ended_at,
               p.verdict = 'finished' AND (p.row).status = 'failed' AS late,
               p.verdict = 'finished' AND p.status = 'failed' AND p.trusted AND (p.usage).refunds AS refunded,
               CASE WHEN p.reported IS NOT NULL AND (p.trusted OR p.computed IS NULL) THEN p.reported ELSE p.computed END AS cost,
               CASE WHEN p.reported IS NOT NULL AND (p.trusted OR p.computed IS NULL) THEN 'reported'
                    WHEN p.computed IS NOT NULL THEN 'computed' ELSE 'unpriced' END AS source,
               CASE WHEN p.duration IS NOT NULL OR NOT p_measure THEN p.duration
                    ELSE round(extract(epoch FROM greatest(v_now, (p.row).started_at) - (p.row).started_at) * 1000)::bigint
                    END AS took,
               -- what this item adds to its user's version, windows and reservations
               CASE WHEN p.verdict = 'finished' OR (p.verdict = 'patched' AND p.rated AND p.rating IS DISTINCT FROM p.old_rating)
                    THEN 1 ELSE 0 END AS ops,
               (p.row).started_at >= (p.usage).day_starts_at AS today,
               (p.row).started_at >= (p.usage).month_starts_at AS this_month,
               CASE WHEN p.verdict = 'finished' AND (p.row).status = 'pending' THEN 1 ELSE 0 END AS ended,
               CASE WHEN p.verdict = 'finished' AND (p.row).status = 'pending' THEN (p.row).reserved_tokens ELSE 0 END AS released_tokens,
               CASE WHEN p.verdict = 'finished' AND (p.row).status = 'pending' THEN (p.row).reserved_nanos ELSE 0 END AS released_nanos
          FROM priced AS p
    ), decided AS MATERIALIZED (
        SELECT s.*,
               CASE WHEN s.verdict = 'replayed' THEN (s.row).finish_limits
                    WHEN s.verdict IN ('finished', 'patched') THEN tk_limits(
                        (s.usage).version + sum(s.ops) OVER w,
                        (s.usage).day_requests - sum(CASE WHEN s.refunded AND s.today THEN 1 ELSE 0 END) OVER w,
                        (s.usage).month_requests - sum(CASE WHEN s.refunded AND s.this_month THEN 1 ELSE 0 END) OVER w,
                        ((s.usage).month_tokens + (s.usage).reserved_tokens + sum(CASE WHEN s.verdict = 'finished' AND s.this_month
                            THEN coalesce(s.tokens, 0) - s.released_tokens ELSE 0 END) OVER w)::bigint,
                        ((s.usage).month_cost_nanos + (s.usage).reserved_nanos + sum(CASE WHEN s.verdict = 'finished' AND s.this_month
                            THEN coalesce(s.cost, 0) - s.released_nanos ELSE 0 END) OVER w)::bigint,
                        (s.usage).pending_requests - sum(s.ended) OVER w,
                        s.usage)
                    END AS limits
          FROM settled AS s
        WINDOW w AS (PARTITION BY s.user_id ORDER BY s.ord)
    ), stored AS (
        -- An update by key that is written as an upsert: a join could be planned from the wrong side while a month's
        -- partition is young, and then walk it for every set.
        INSERT INTO chat_requests AS r (
                   user_id, id, request_type, plan_name, version, started_on, started_at, expires_at, created_at,
                   status, response, model, error_message, late, refunded, outside_plan, over_reserved, tokens_used, cost_nanos,
                   cost_source, computed_nanos, reported_nanos, duration, unit_prices, finish_hash, finish_limits, completed_at,
                   response_hash)
        SELECT d.user_id, d.id, (d.row).request_type, (d.row).plan_name, (d.row).version, (d.row).started_on,
               (d.row).started_at, (d.row).expires_at, (d.row).created_at,
               d.status, CASE WHEN d.response_hash IS NULL THEN coalesce(d.response, (d.row).response) ELSE d.response END,
               d.final_model, d.error, d.late, d.refunded,
               d.model IS NOT NULL AND NOT tk_includes_model((d.usage).features, d.model),
               (d.row).max_tokens IS NOT NULL AND coalesce(d.tokens, 0) > (d.row).reserved_tokens,
               d.tokens, d.cost, d.source, d.computed, d.reported, d.took,
               CASE WHEN d.model IS NULL OR d.model = (d.row).model THEN (d.row).unit_prices
                    ELSE coalesce(tk_own_rates(d.model, (d.row).started_at), d.rates) END,
               d.hash, d.limits, d.ended_at,
               CASE WHEN d.response IS NULL THEN coalesce(d.response_hash, (d.row).response_hash) ELSE d.response_hash END
          FROM decided AS d
         WHERE d.verdict = 'finished'
            ON CONFLICT (user_id, id) DO UPDATE
           SET status = excluded.status, response = excluded.response, model = excluded.model,
               error_message = excluded.error_message, error_code = NULL, late = excluded.late, refunded = excluded.refunded,
               outside_plan = excluded.outside_plan, over_reserved = excluded.over_reserved,
               tokens_used = excluded.tokens_used, cost_nanos = excluded.cost_nanos, cost_source = excluded.cost_source,
               computed_nanos = excluded.computed_nanos, reported_nanos = excluded.reported_nanos,
               duration = excluded.duration, unit_prices = excluded.unit_prices, finish_hash = excluded.finish_hash,
               finish_limits = excluded.finish_limits, completed_at = excluded.completed_at,
               response_hash = excluded.response_hash
    ), analysed AS (
        INSERT INTO request_analytics AS a (id, user_id, request_id, request_type, category, complexity, response_time,
                                            tokens_input, tokens_output, tokens_cached, tokens_cache_write, tokens_reasoning,
                                            user_rating, was_successful, created_at)
        SELECT d.id, d.user_id, d.id, (d.row).request_type, (d.row).category, (d.row).complexity, d.took,
               d.input, d.output, d.cached, d.cache_write, d.reasoning,
               CASE WHEN d.rated THEN d.rating ELSE d.old_rating END, d.status = 'completed', d.ended_at
          FROM decided AS d
         WHERE d.verdict = 'finished'
            ON CONFLICT (user_id, id) DO UPDATE   -- it had expired
           SET response_time = excluded.response_time, tokens_input = excluded.tokens_input, tokens_output = excluded.tokens_output,
               tokens_cached = excluded.tokens_cached, tokens_cache_write = excluded.tokens_cache_write,
               tokens_reasoning = excluded.tokens_reasoning, user_rating = excluded.user_rating,
               was_successful = excluded.was_successful
    ), changes AS (
        SELECT ROW(d.user_id, d.ops, CASE WHEN d.refunded THEN -1 ELSE 0 END, d.released_tokens, d.released_nanos,
                   (d.row).started_at, (d.row).started_on, (d.row).plan_name, (d.row).session_id,
                   d.final_model, (d.row).category, (d.row).request_type, (d.row).complexity,
                   CASE WHEN d.status = 'completed' THEN 1 ELSE 0 END, CASE WHEN d.status = 'failed' THEN 1 ELSE 0 END,
                   coalesce(d.tokens, 0), coalesce(d.input, 0), coalesce(d.output, 0), coalesce(d.cached, 0),
                   coalesce(d.cache_write, 0), coalesce(d.reasoning, 0), coalesce(d.cost, 0),
                   CASE WHEN tk_is_unpriced(d.status, d.cost, d.tokens) THEN 1 ELSE 0 END,
                   CASE WHEN d.status = 'completed' AND d.took IS NOT NULL THEN 1 ELSE 0 END,
                   CASE WHEN d.status = 'completed' THEN coalesce(d.took, 0) ELSE 0 END,
                   CASE WHEN coalesce(CASE WHEN d.rated THEN d.rating ELSE d.old_rating END, 0) > 0 THEN 1 ELSE 0 END,
                   coalesce(CASE WHEN d.rated THEN d.rating ELSE d.old_rating END, 0), d.ended)::tk_change AS change
          FROM decided AS d
         WHERE d.verdict = 'finished'
         UNION ALL
        -- A late finish takes back what the expiry had booked.
        SELECT ROW(d.user_id, 0, 0, 0, 0, (d.row).started_at, (d.row).started_on, (d.row).plan_name, (d.row).session_id,
                   (d.row).model, (d.row).category, (d.row).request_type, (d.row).complexity,
                   0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                   CASE WHEN d.old_rating IS NULL THEN 0 ELSE -1 END, -coalesce(d.old_rating, 0), 0)::tk_change
          FROM decided AS d
         WHERE d.late
         UNION ALL
        SELECT ROW(d.user_id, 1, 0, 0, 0, (d.row).started_at, (d.row).started_on, (d.row).plan_name, (d.row).session_id,
                   (d.row).model, (d.row).category, (d.row).request_type, (d.row).complexity,
                   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                   CASE WHEN d.rating IS NULL THEN 0 ELSE 1 END - CASE WHEN d.old_rating IS NULL THEN 0 ELSE 1 END,
                   coalesce(d.rating, 0) - coalesce(d.old_rating, 0), 0)::tk_change
          FROM decided AS d
         WHERE d.verdict = 'patched' AND d.ops = 1
    )
    SELECT (SELECT array_agg(c.change) FROM changes AS c),
           array_agg(ROW(d.ord, d.verdict, d.id, (d.row).client_id,
                         CASE WHEN d.verdict = 'finished' THEN d.status ELSE (d.row).status END,
                         CASE WHEN d.verdict = 'finished' THEN NULL ELSE (d.row).error_code END,
                         CASE WHEN d.verdict = 'finished' THEN d.late ELSE (d.row).late END,
                         CASE WHEN d.verdict = 'finished' THEN d.cost ELSE (d.row).cost_nanos END,
                         CASE WHEN d.verdict = 'finished' THEN d.source ELSE (d.row).cost_source END,
                         CASE WHEN d.verdict = 'finished' THEN d.tokens ELSE (d.row).tokens_used END,
                         CASE WHEN d.verdict = 'finished' THEN d.took ELSE (d.row).duration END,
                         d.limits)::tk_verdict ORDER BY d.ord)
      INTO v_changes, v_verdicts
      FROM decided AS d;

    FOR v_patch IN SELECT v.ord, v.id FROM unnest(v_verdicts) AS v WHERE v.verdict = 'patched' LOOP
        UPDATE chat_requests AS r SET response = p_responses[v_patch.ord], response_hash = p_response_hashes[v_patch.ord]
         WHERE r.user_id = p_users[v_patch.ord] AND r.id = v_patch.id AND r.response IS NULL
           AND num_nonnulls(p_responses[v_patch.ord], p_response_hashes[v_patch.ord]) > 0;
        UPDATE request_analytics AS a SET user_rating = p_ratings[v_patch.ord]
         WHERE a.user_id = p_users[v_patch.ord] AND a.id = v_patch.id AND p_rated[v_patch.ord];
        -- A response that is filled in is no change of a number, but of what the dashboard shows.
        UPDATE usage AS u SET updated_at = v_now WHERE u.user_id = p_users[v_patch.ord];
    END LOOP;
    IF v_changes IS NOT NULL THEN
        PERFORM tk_apply(v_changes, v_now);
    END IF;
    RETURN QUERY SELECT * FROM unnest(v_verdicts);
END
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
    -- The operator's own price of a model at an instant.
    SELECT p.rates FROM model_prices AS p
     WHERE p.model = p_model AND p.effective_from <= p_at
     ORDER BY p.effective_from DESC
     LIMIT 1
    $$;

CREATE OR REPLACE FUNCTION tk_is_unpriced(p_status text, p_cost_nanos bigint, p_tokens bigint) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    -- A cost that nobody knows: of every completed request without one, and of failed ones that used tokens.
    SELECT p_cost_nanos IS NULL AND (p_status = 'completed' OR coalesce(p_tokens, 0) > 0)
    $$;
