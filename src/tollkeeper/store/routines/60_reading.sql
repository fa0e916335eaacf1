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
