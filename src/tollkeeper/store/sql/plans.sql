-- The catalogue of plans, and which of them a user has.

-- name: plans
-- The whole catalogue, by rank.
SELECT p.name, p.rank, p.version, p.daily_requests, p.monthly_requests, p.max_tokens_per_request, p.monthly_tokens,
       p.monthly_cost_nanos, p.requests_per_minute, p.concurrent_requests, p.features, p.entitlements, p.period,
       p.rollover_percent, p.refund, p.on_unavailable, p.warn_at, p.price_per_month, p.price_per_year, p.currency, p.billing_cycle,
       p.trial_days, p.self_service, p.text_policy, p.retain_text_days, p.stripe_price_monthly, p.stripe_price_yearly
  FROM plans AS p
 ORDER BY p.rank;

-- name: some_plan_keeps_less$
-- Whether the catalogue has a plan that does not keep all texts.
SELECT EXISTS (SELECT FROM plans AS p WHERE p.text_policy <> 'all');

-- name: plan_exists$
-- Whether the catalogue has a plan of that name.
SELECT EXISTS (SELECT FROM plans AS p WHERE p.name = :plan);

-- name: hold_catalogue!
-- Let nobody else change the catalogue until this transaction ends, by whatever way. It is read all the same.
LOCK TABLE plans IN SHARE ROW EXCLUSIVE MODE;

-- name: vacate_ranks!
-- Move the named plans to ranks that no file can name, so that a set may swap ranks among its members.
UPDATE plans AS p
   SET rank = -given.place
  FROM unnest(:names::text[]) WITH ORDINALITY AS given (name, place)
 WHERE p.name = given.name;

-- name: put_plans!
-- Add plans to the catalogue or change them there. The terms that users have stay as they are.
INSERT INTO plans AS p (name, rank, daily_requests, monthly_requests, max_tokens_per_request, monthly_tokens,
                        monthly_cost_nanos, requests_per_minute, concurrent_requests, features, entitlements, period,
                        rollover_percent, refund, on_unavailable, warn_at, price_per_month, price_per_year, currency,
                        billing_cycle, trial_days, self_service, text_policy, retain_text_days, stripe_price_monthly,
                        stripe_price_yearly)
SELECT g.name, g.rank, g.daily_requests, g.monthly_requests, g.max_tokens_per_request, g.monthly_tokens, g.monthly_cost_nanos,
       g.requests_per_minute, g.concurrent_requests, g.features, g.entitlements, g.period, g.rollover_percent, g.refund,
       g.on_unavailable, g.warn_at, g.price_per_month, g.price_per_year, g.currency, g.billing_cycle, g.trial_days, g.self_service,
       g.text_policy, g.retain_text_days, g.stripe_price_monthly, g.stripe_price_yearly
  FROM jsonb_to_recordset(:plans::jsonb) AS g (
           name text, rank integer, daily_requests bigint, monthly_requests bigint, max_tokens_per_request bigint,
           monthly_tokens bigint, monthly_cost_nanos bigint, requests_per_minute bigint, concurrent_requests bigint,
           features jsonb, entitlements jsonb, period text, rollover_percent smallint, refund text, on_unavailable text,
           warn_at smallint[], price_per_month integer, price_per_year integer, currency text, billing_cycle text,
           trial_days integer, self_service boolean, text_policy text, retain_text_days integer, stripe_price_monthly text,
           stripe_price_yearly text)
    ON CONFLICT (name) DO UPDATE
   SET rank                   = excluded.rank,
       daily_requests         = excluded.daily_requests,
       monthly_requests       = excluded.monthly_requests,
       max_tokens_per_request = excluded.max_tokens_per_request,
       monthly_tokens         = excluded.monthly_tokens,
       monthly_cost_nanos     = excluded.monthly_cost_nanos,
       requests_per_minute    = excluded.requests_per_minute,
       concurrent_requests    = excluded.concurrent_requests,
       features               = excluded.features,
       entitlements           = excluded.entitlements,
       period                 = excluded.period,
       rollover_percent       = excluded.rollover_percent,
       refund                 = excluded.refund,
       on_unavailable         = excluded.on_unavailable,
       warn_at                = excluded.warn_at,
       price_per_month        = excluded.price_per_month,
       price_per_year         = excluded.price_per_year,
       currency               = excluded.currency,
       billing_cycle          = excluded.billing_cycle,
       trial_days             = excluded.trial_days,
       self_service           = excluded.self_service,
       text_policy            = excluded.text_policy,
       retain_text_days       = excluded.retain_text_days,
       stripe_price_monthly   = excluded.stripe_price_monthly,
       stripe_price_yearly    = excluded.stripe_price_yearly,
       updated_at             = tk_now();

-- name: new_terms$
-- Give a user the terms of a plan as the catalogue has them, and end those that were open. Answers nothing for an unknown user.
SELECT tk_new_terms(u.user_id, :plan, :kind, :starts_at::timestamptz, :expires_at::timestamptz, p_cycle => :cycle,
                    p_is_trial => :is_trial)
  FROM usage AS u
 WHERE u.user_id = :user_id;

-- name: outdated_terms
-- The older versions of a plan that users are on, and how many are.
SELECT t.plan_name AS name, p.rank, t.plan_version AS version, v.daily_requests, v.monthly_requests, v.max_tokens_per_request,
       v.monthly_tokens, v.monthly_cost_nanos, v.requests_per_minute, v.concurrent_requests, v.features, v.entitlements,
       v.period, v.rollover_percent, v.refund, v.on_unavailable, v.warn_at, v.price_per_month, v.price_per_year, v.currency,
       v.billing_cycle, count(*) AS users
  FROM usage AS u
  JOIN plan_terms AS t ON t.user_id = u.user_id AND t.id = u.plan_terms_id
  JOIN plan_versions AS v ON v.plan_name = t.plan_name AND v.version = t.plan_version
  JOIN plans AS p ON p.name = t.plan_name
  JOIN plans AS n ON n.name = :to
 WHERE t.plan_name = :plan AND (t.plan_name, t.plan_version) <> (n.name, n.version)
   AND (u.plan_expires_at IS NULL OR u.plan_expires_at > tk_now())
 GROUP BY t.plan_name, p.rank, t.plan_version, v.plan_name, v.version
 ORDER BY t.plan_version;

-- name: outdated_by_plan
-- How many users of each plan have terms of an older version than the catalogue's. Reads all usage rows.
SELECT t.plan_name AS plan, count(*) AS users
  FROM usage AS u
  JOIN plan_terms AS t ON t.user_id = u.user_id AND t.id = u.plan_terms_id
  JOIN plans AS p ON p.name = t.plan_name
 WHERE t.plan_version <> p.version AND (u.plan_expires_at IS NULL OR u.plan_expires_at > tk_now())
 GROUP BY t.plan_name;

-- name: some_outdated
-- Some of those who are on other terms of a plan than the catalogue has, behind a user.
SELECT u.user_id
  FROM usage AS u
  JOIN plan_terms AS t ON t.user_id = u.user_id AND t.id = u.plan_terms_id
  JOIN plans AS n ON n.name = :to
 WHERE t.plan_name = :plan AND (t.plan_name, t.plan_version) <> (n.name, n.version)
   AND (:after::uuid IS NULL OR u.user_id > :after::uuid)
 ORDER BY u.user_id
 LIMIT :most;

-- name: migrate_users
-- Move some users to the terms that the catalogue has now; answers whom.
SELECT tk_migrate(:user_ids::uuid[], :plan, :to) AS user_id;

-- name: billing_period$
-- When the period of payment ends in which an instant lies.
SELECT p.ends_at
  FROM tk_period_of(:anchored_at::timestamptz, CASE WHEN :cycle = 'yearly' THEN 12 ELSE 1 END, :zone, :at::timestamptz) AS p;

-- name: had_trial$
-- Whether a user has tried a plan before.
SELECT EXISTS (SELECT FROM plan_terms AS t WHERE t.user_id = :user_id AND t.plan_name = :plan AND t.is_trial);

-- name: give_until$
-- Say until when the terms in force are given (null: for good), whatever was arranged; answers which terms these are.
UPDATE plan_terms AS t
   SET expires_at = :until::timestamptz, given_until = :until::timestamptz, next_plan = NULL, next_cycle = NULL,
       updated_at = :at::timestamptz
  FROM usage AS u
 WHERE u.user_id = :user_id AND t.user_id = :user_id AND t.id = u.plan_terms_id
RETURNING t.id;

-- name: arrange_next$
-- Say when the terms in force expire and what follows them; answers which terms these are.
UPDATE plan_terms AS t
   SET expires_at = :expires_at::timestamptz, next_plan = :next_plan, next_cycle = :next_cycle, updated_at = :at::timestamptz
  FROM usage AS u
 WHERE u.user_id = :user_id AND t.user_id = :user_id AND t.id = u.plan_terms_id
RETURNING t.id;

-- name: terms_of_user
-- The terms that a user had and has, the last given first, page by page. In force are those of the usage row, until they expire.
SELECT t.id, t.plan_name, t.plan_version, t.kind, t.billing_cycle, t.is_trial, e.ended_at IS NULL AS is_in_force,
       t.starts_at, e.ended_at
  FROM plan_terms AS t
 CROSS JOIN LATERAL (SELECT coalesce(t.ended_at, CASE WHEN t.expires_at <= tk_now()
                                                       OR t.id <> (SELECT u.plan_terms_id FROM usage AS u
                                                                    WHERE u.user_id = :user_id)
                                                      THEN t.expires_at END) AS ended_at) AS e
 WHERE t.user_id = :user_id AND (:after::uuid IS NULL OR t.id < :after::uuid)
 ORDER BY t.id DESC
 LIMIT :most;

-- name: put_in_force!
-- Put terms in force: limits change, what is used stays.
SELECT tk_put_in_force(:user_id, :terms_id, :at::timestamptz);

-- name: terms^
-- The terms of a user under an id.
SELECT t.id, t.plan_name, t.starts_at, t.expires_at
  FROM plan_terms AS t
 WHERE t.user_id = :user_id AND t.id = :terms_id;

-- name: own_plan^
-- The terms that a user has, and what of them is used, unless something of theirs is due.
SELECT t.plan_name AS name, coalesce(p.rank, 0) AS rank, v.version, v.daily_requests, v.monthly_requests,
       v.max_tokens_per_request, v.monthly_tokens, v.monthly_cost_nanos, v.requests_per_minute, v.concurrent_requests,
       v.features, v.entitlements, v.period, v.rollover_percent, v.refund, v.on_unavailable, v.warn_at, v.price_per_month,
       v.price_per_year, v.currency, t.billing_cycle, coalesce(p.trial_days, 0) AS trial_days,
       coalesce(p.self_service, false) AS self_service, coalesce(p.text_policy, 'all') AS text_policy, p.retain_text_days,
       t.starts_at, t.expires_at, t.is_trial, t.next_plan, t.next_cycle, t.anchored_at, t.given_until, u.month_zone AS zone,
       u.max_tokens_per_request AS tokens_a_request,
       tk_limits(u.version, u.day_requests, u.month_requests, u.month_tokens + u.reserved_tokens,
                 u.month_cost_nanos + u.reserved_nanos, u.pending_requests, u) AS limits,
       u.due_at <= tk_now() AS is_due
  FROM usage AS u
  -- By its key: with a limit no plan made on an empty table walks all terms instead.
 CROSS JOIN LATERAL (SELECT k.* FROM plan_terms AS k
                      WHERE k.user_id = u.user_id AND k.id = u.plan_terms_id LIMIT 1) AS t
  JOIN plan_versions AS v ON v.plan_name = t.plan_name AND v.version = t.plan_version
  LEFT JOIN plans AS p ON p.name = t.plan_name
 WHERE u.user_id = :user_id;
