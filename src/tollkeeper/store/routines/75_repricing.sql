-- Re-pricing: what finished requests cost by the rates that now count for their own time.
--
-- Requests whose cost was computed, or that nobody knew the price of, get the operator's own rates of the instant at
-- which they started, or else those of the public list of that instant. A reported cost that counts stays. It goes in
-- sets, each under its users' locks; every derived number follows by tk_apply, as after a finish.

CREATE OR REPLACE FUNCTION tk_cost_change(p_request chat_requests, p_nanos bigint) RETURNS tk_change
    LANGUAGE plpgsql IMMUTABLE
    AS $$
DECLARE
    c tk_change;
BEGIN
    -- What another cost of a finished request adds to the derived numbers, named field by field.
    c.user_id            := p_request.user_id;
    c.ops                := 1;
    c.unit               := 0;
    c.released_tokens    := 0;
    c.released_nanos     := 0;
    c.started_at         := p_request.started_at;
    c.started_on         := p_request.started_on;
    c.plan_name          := p_request.plan_name;
    c.session_id         := p_request.session_id;
    c.model              := p_request.model;
    c.category           := p_request.category;
    c.request_type       := p_request.request_type;
    c.complexity         := p_request.complexity;
    c.completed          := 0;
    c.failed             := 0;
    c.tokens_used        := 0;
    c.tokens_input       := 0;
    c.tokens_output      := 0;
    c.tokens_cached      := 0;
    c.tokens_cache_write := 0;
    c.tokens_reasoning   := 0;
    c.cost_nanos         := coalesce(p_nanos, 0) - coalesce(p_request.cost_nanos, 0);
    c.unpriced           := tk_is_unpriced(p_request.status, p_nanos, p_request.tokens_used)::integer
                            - tk_is_unpriced(p_request.status, p_request.cost_nanos, p_request.tokens_used)::integer;
    c.ended              := 0;
    c.timed              := 0;
    c.duration_ms        := 0;
    c.rated              := 0;
    c.rating             := 0;
    RETURN c;
END
    $$;

-- As it answered before: what it answers cannot be changed in place.
DROP FUNCTION IF EXISTS tk_reprice(text, uuid[], uuid[], jsonb[], boolean);

CREATE FUNCTION tk_reprice(
    p_model  text,
    p_users  uuid[],
    p_ids    uuid[],
    p_listed jsonb[],     -- what the public list says of the model at each request's time; null: nothing
    p_apply  boolean      -- false: only say what would come of it
) RETURNS TABLE (requests bigint, changed bigint, unpriced_before bigint, unpriced_after bigint,
                 nanos_before numeric, nanos_after numeric,
                 user_ids uuid[], spent_nanos bigint[], added_nanos numeric[])   -- whose they are, what each had spent, and what is added
    LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    AS $$
DECLARE
    v_rows    chat_requests[];
    v_rates   jsonb[];
    v_nanos   bigint[];
    v_changes tk_change[];
BEGIN
    IF p_apply THEN
        PERFORM tk_lock(p_users);
    END IF;
    -- Asked anew under the lock: what the caller saw may have changed since.
    SELECT array_agg(r), array_agg(n.rates), array_agg(n.nanos)
      INTO v_rows, v_rates, v_nanos
      FROM unnest(p_users, p_ids, p_listed) AS g (user_id, id, listed)
      CROSS JOIN LATERAL (SELECT q.* FROM chat_requests AS q WHERE q.user_id = g.user_id AND q.id = g.id LIMIT 1) AS r
      CROSS JOIN LATERAL (SELECT q.* FROM request_analytics AS q WHERE q.user_id = g.user_id AND q.id = g.id LIMIT 1) AS a
      CROSS JOIN LATERAL (
          SELECT p.rates, tk_cost(p.rates, coalesce(a.tokens_input, 0), coalesce(a.tokens_output, 0), coalesce(a.tokens_cached, 0),
                                  coalesce(a.tokens_cache_write, 0), coalesce(a.tokens_reasoning, 0)) AS nanos
            FROM (SELECT coalesce(tk_own_rates(p_model, r.started_at), g.listed) AS rates) AS p) AS n
     WHERE coalesce(r.model, 'unknown') = p_model AND r.status <> 'pending' AND r.cost_source IN ('computed', 'unpriced')
       AND (a.tokens_input IS NOT NULL OR a.tokens_output IS NOT NULL);

    RETURN QUERY
    SELECT coalesce(sum(b.requests), 0)::bigint, coalesce(sum(b.changed), 0)::bigint,
           coalesce(sum(b.unpriced_before), 0)::bigint, coalesce(sum(b.unpriced_after), 0)::bigint,
           coalesce(sum(b.nanos_before), 0), coalesce(sum(b.nanos_after), 0),
           coalesce(array_agg(b.user_id), '{}'), coalesce(array_agg(u.spent), '{}'),
           coalesce(array_agg(b.nanos_after - b.nanos_before), '{}')
      FROM (SELECT (o.r).user_id, count(*) AS requests, count(*) FILTER (WHERE (o.r).cost_nanos IS DISTINCT FROM o.nanos) AS changed,
                   count(*) FILTER (WHERE tk_is_unpriced((o.r).status, (o.r).cost_nanos, (o.r).tokens_used)) AS unpriced_before,
                   count(*) FILTER (WHERE tk_is_unpriced((o.r).status, o.nanos, (o.r).tokens_used)) AS unpriced_after,
                   coalesce(sum((o.r).cost_nanos), 0) AS nanos_before, coalesce(sum(o.nanos), 0) AS nanos_after
              FROM (SELECT v_rows[i] AS r, v_nanos[i] AS nanos FROM generate_subscripts(v_rows, 1) AS i) AS o
             GROUP BY 1) AS b
      CROSS JOIN LATERAL (SELECT k.total_cost_nanos AS spent FROM usage AS k WHERE k.user_id = b.user_id LIMIT 1) AS u;
    IF NOT p_apply OR v_rows IS NULL THEN
        RETURN;
    END IF;

    -- The rates go with the cost: a request's row says what it was priced by.
    UPDATE chat_requests AS q
       SET unit_prices = n.rates, cost_nanos = n.nanos, computed_nanos = n.nanos,
           cost_source = CASE WHEN n.nanos IS NULL THEN 'unpriced' ELSE 'computed' END
      FROM (SELECT (v_rows[i]).user_id, (v_rows[i]).id, v_rates[i] AS rates, v_nanos[i] AS nanos
              FROM generate_subscripts(v_rows, 1) AS i
             WHERE (v_rows[i]).unit_prices IS DISTINCT FROM v_rates[i] OR (v_rows[i]).cost_nanos IS DISTINCT FROM v_nanos[i]) AS n
     WHERE q.user_id = n.user_id AND q.id = n.id;

    SELECT array_agg(tk_cost_change(o.r, o.nanos)) INTO v_changes
      FROM (SELECT v_rows[i] AS r, v_nanos[i] AS nanos FROM generate_subscripts(v_rows, 1) AS i) AS o
     WHERE (o.r).cost_nanos IS DISTINCT FROM o.nanos;
    IF v_changes IS NULL THEN
        RETURN;
    END IF;
    -- The operator was active, not the users.
    PERFORM tk_apply(v_changes, NULL);
END
    $$;
