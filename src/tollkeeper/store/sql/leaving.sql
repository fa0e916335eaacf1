-- Users who are deleted; routines/85_leaving.sql tells how they go.

-- name: begin_leaving$
-- Take a user's address and every way in: begun, unknown-user or (where that is asked) last-operator.
SELECT tk_begin_leaving(:user_id::uuid, :may_be_last::boolean);

-- name: leave_some$
-- Take some of a leaving user's requests, or of what they were called; answers how many.
SELECT tk_leave(:user_id::uuid, :most::int);

-- name: names_only_theirs
-- What only this user's requests were called, of models, categories and request types: nobody else's sums know it, and no
-- plan includes it.
SELECT DISTINCT n.kind, n.name
  FROM usage_rollups AS r
 CROSS JOIN LATERAL (VALUES ('model', r.model), ('category', r.category), ('request_type', r.request_type)) AS n (kind, name)
 WHERE r.user_id = :user_id AND r.period = 'all' AND n.name <> ''
   AND NOT EXISTS (SELECT FROM usage_rollups AS o
                    CROSS JOIN LATERAL (VALUES ('model', o.model), ('category', o.category), ('request_type', o.request_type))
                          AS t (kind, name)
                    WHERE o.period = 'all' AND o.user_id <> :user_id AND t.kind = n.kind AND t.name = n.name)
   AND NOT EXISTS (SELECT FROM plans AS p WHERE n.kind = 'request_type' AND p.features ? n.name)
   AND NOT EXISTS (SELECT FROM model_prices AS p WHERE n.kind = 'model' AND p.model = n.name);

-- name: fold_names!
-- Put the sums over all users of such names to those without a name.
SELECT tk_fold_names(:models::text[], :categories::text[], :request_types::text[]);

-- name: end_leaving$
-- Take what is left of a leaving user; false: there are requests again or still.
SELECT tk_end_leaving(:user_id::uuid);

-- name: leaving
-- Who is on the way out. Of all users: the job.
SELECT a.id FROM accounts AS a WHERE a.leaving_since IS NOT NULL ORDER BY a.id;
