-- What readers see. A pending request past its deadline is shown as expired, swept or not.

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
  LEFT JOIN request_analytics AS a ON a.user_id = r.user_id AND a.id = r.id;

CREATE OR REPLACE FUNCTION tk_percentiles(p_latencies bigint[], p_ranks numeric[]) RETURNS numeric[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    -- Nearest rank: the first bucket at which the share of all requests is reached.
    WITH counted AS (
        SELECT b.bucket, sum(p_latencies[b.bucket]) OVER (ORDER BY b.bucket) AS upto,
               sum(p_latencies[b.bucket]) OVER () AS total
          FROM generate_subscripts(p_latencies, 1) AS b (bucket)
         WHERE p_latencies[b.bucket] > 0
    )
    SELECT array_agg((SELECT tk_latency_ms(c.bucket) FROM counted AS c
                       WHERE c.upto >= ceil(r.rank * c.total)
                       ORDER BY c.bucket
                       LIMIT 1) ORDER BY r.place)
      FROM unnest(p_ranks) WITH ORDINALITY AS r (rank, place)
    $$;

CREATE OR REPLACE AGGREGATE tk_latencies_total(bigint[]) (SFUNC = tk_latencies_sum, STYPE = bigint[], INITCOND = '{}');
