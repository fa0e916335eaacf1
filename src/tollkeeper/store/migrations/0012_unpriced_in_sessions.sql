-- Conversations count what has no price, as all other sums do: what costs nothing is told from what nobody knows.

ALTER TABLE chat_sessions ADD COLUMN unpriced bigint NOT NULL DEFAULT 0;
-- Of what was sealed before this column nobody can tell any more.
ALTER TABLE sealed_sessions ADD COLUMN unpriced bigint NOT NULL DEFAULT 0;

UPDATE chat_sessions AS s
   SET unpriced = r.unpriced
  FROM (SELECT q.user_id, q.session_id, count(*) AS unpriced
          FROM (SELECT user_id, session_id, status, cost_nanos, cost_source, tokens_used FROM chat_requests
                 UNION ALL
                SELECT user_id, session_id, status, cost_nanos, cost_source, tokens_used FROM closing_requests) AS q
         WHERE q.session_id IS NOT NULL AND q.cost_source IS NOT NULL
           AND q.cost_nanos IS NULL AND (q.status = 'completed' OR q.tokens_used > 0)
         GROUP BY q.user_id, q.session_id) AS r
 WHERE s.user_id = r.user_id AND s.session_id = r.session_id;
