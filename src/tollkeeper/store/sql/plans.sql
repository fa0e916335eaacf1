-- The catalogue of plans, and which of them a user has.

-- name: plans
-- The whole catalogue, by rank.
SELECT p.name, p.rank, p.daily_requests, p.monthly_requests, p.max_tokens_per_request, p.monthly_tokens, p.monthly_cost_nanos,
       p.features, p.price_per_month, p.billing_cycle, p.text_policy, p.retain_text_days
  FROM plans AS p
 ORDER BY p.rank;

-- name: some_plan_keeps_less$
-- Whether the catalogue has a plan that does not keep all texts.
SELECT EXISTS (SELECT FROM plans AS p WHERE p.text_policy <> 'all');

-- name: plan_exists$
-- Whether the catalogue has a plan of that name.
SELECT EXISTS (SELECT FROM plans AS p WHERE p.name = :plan);

-- name: vacate_ranks!
-- Move the named plans to ranks that no file can name, so that a set may swap ranks among its members.
UPDATE plans AS p
   SET rank = -given.place
  FROM unnest(:names::text[]) WITH ORDINALITY AS given (name, place)
 WHERE p.name = given.name;

-- name: put_plans!
-- Add plans to the catalogue or change them there; features is one array of arrays, since drivers send no lists of lists. The terms that users have stay as they are.
INSERT INTO plans AS p (name, rank, daily_requests, monthly_requests, max_tokens_per_request, monthly_tokens, monthly_cost_nanos,
                        features, price_per_month, billing_cycle, text_policy, retain_text_days)
SELECT g.name, g.rank, g.daily_requests, g.monthly_requests, g.max_tokens_per_request, g.monthly_tokens, g.monthly_cost_nanos,
       :features::jsonb -> (g.place - 1)::integer, g.price_per_month, g.billing_cycle, g.text_policy, g.retain_text_days
  FROM unnest(:names::text[], :ranks::integer[], :daily_requests::bigint[], :monthly_requests::bigint[],
              :max_tokens_per_request::bigint[], :monthly_tokens::bigint[], :monthly_cost_nanos::bigint[],
              :prices_per_month::integer[], :billing_cycles::text[], :text_policies::text[],
              :retain_text_days::integer[]) WITH ORDINALITY
       AS g (name, rank, daily_requests, monthly_requests, max_tokens_per_request, monthly_tokens, monthly_cost_nanos,
             price_per_month, billing_cycle, text_policy, retain_text_days, place)
    ON CONFLICT (name) DO UPDATE
   SET rank                   = excluded.rank,
       daily_requests         = excluded.daily_requests,
       monthly_requests       = excluded.monthly_requests,
       max_tokens_per_request = excluded.max_tokens_per_request,
       monthly_tokens         = excluded.monthly_tokens,
       monthly_cost_nanos     = excluded.monthly_cost_nanos,
       features               = excluded.features,
       price_per_month        = excluded.price_per_month,
       billing_cycle          = excluded.billing_cycle,
       text_policy            = excluded.text_policy,
       retain_text_days       = excluded.retain_text_days,
       updated_at             = tk_now();

-- name: new_terms$
-- Snapshot a plan as the terms of a user and end those that were open. Answers nothing for an unknown user.
SELECT tk_new_terms(u.user_id, :plan, :starts_at::timestamptz, :expires_at::timestamptz)
  FROM usage AS u
 WHERE u.user_id = :user_id;

-- name: take_terms!
-- Put terms in force: limits change, what is used stays.
SELECT tk_take_terms(:user_id, :terms_id);

-- name: terms^
-- The terms of a user under an id.
SELECT t.id, t.plan_name, t.plan_rank, t.starts_at, t.expires_at
  FROM plan_terms AS t
 WHERE t.user_id = :user_id AND t.id = :terms_id;

-- name: own_plan^
-- The terms that a user has, and what of them is used, unless something of theirs is due.
SELECT t.plan_name AS name, t.plan_rank AS rank, t.daily_requests, t.monthly_requests, t.max_tokens_per_request,
       t.monthly_tokens, t.monthly_cost_nanos, t.features, t.price_per_month, t.billing_cycle, t.starts_at, t.expires_at,
       coalesce(p.text_policy, 'all') AS text_policy, p.retain_text_days,
       tk_limits(u.version, u.day_requests, u.month_requests, u.month_tokens + u.reserved_tokens,
                 u.month_cost_nanos + u.reserved_nanos, u) AS limits,
       u.due_at <= tk_now() AS is_due
  FROM usage AS u
  -- By its key: with a limit no plan made on an empty table walks all terms instead.
 CROSS JOIN LATERAL (SELECT k.* FROM plan_terms AS k
                      WHERE k.user_id = u.user_id AND k.id = u.plan_terms_id LIMIT 1) AS t
  LEFT JOIN plans AS p ON p.name = t.plan_name
 WHERE u.user_id = :user_id;
