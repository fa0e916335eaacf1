-- Everything that is kept of a user, for them to take along: each file of the download is one of these statements, besides
-- requests and activity. Columns are named one by one: no hash and nothing sealed leaves the house.

-- name: takeout_profile
-- Who they are, with their plan.
SELECT u.id, u.email, u.name, u.image, u.github_id, u.role, u.is_active, u.plan, u.plan_expires_at, u.time_zone,
       u.last_login_at, u.created_at, u.updated_at
  FROM users AS u
 WHERE u.id = :user_id;

-- name: takeout_identities
-- What identifies them.
SELECT i.kind, i.shown_as AS value, i.created_at
  FROM user_identities AS i
 WHERE i.user_id = :user_id
 ORDER BY i.kind;

-- name: takeout_preferences
-- How they want to be shown things.
SELECT p.settings, p.updated_at
  FROM preferences AS p
 WHERE p.user_id = :user_id;

-- name: takeout_usage
-- What they may and have used.
SELECT u.plan_name, u.plan_expires_at, u.daily_requests, u.monthly_requests, u.max_tokens_per_request, u.monthly_tokens,
       u.monthly_cost_nanos, u.requests_per_minute, u.concurrent_requests, u.extra_requests, u.extra_tokens, u.extra_nanos,
       u.pending_requests, u.features, u.day_zone, u.month_zone, u.day_starts_at, u.day_ends_at, u.month_starts_at,
       u.month_ends_at, u.day_requests, u.month_requests, u.month_tokens, u.month_cost_nanos AS month_cost_nanos_used,
       u.total_requests, u.total_completed, u.total_failed, u.total_tokens_used, u.total_cost_nanos, u.total_unpriced,
       u.total_timed, u.total_duration_ms, u.total_rated, u.total_rating, u.version, u.created_at, u.updated_at
  FROM usage AS u
 WHERE u.user_id = :user_id;

-- name: takeout_plans
-- The terms they had and have.
SELECT t.id, t.plan_name, t.plan_version, t.kind, v.daily_requests, v.monthly_requests, v.max_tokens_per_request,
       v.monthly_tokens, v.monthly_cost_nanos, v.requests_per_minute, v.concurrent_requests, v.features, v.price_per_month,
       t.billing_cycle, t.is_trial, t.starts_at, t.expires_at, t.next_plan, t.ended_at
  FROM plan_terms AS t
  LEFT JOIN plan_versions AS v ON v.plan_name = t.plan_name AND v.version = t.plan_version
 WHERE t.user_id = :user_id
 ORDER BY t.id;

-- name: takeout_overrides
-- Limits of theirs that differ from the plan's.
SELECT o.id, o.limits, o.reason, o.starts_at, o.ends_at,
       coalesce(o.ended_at, CASE WHEN o.ends_at <= tk_now() THEN o.ends_at END) AS ended_at
  FROM plan_overrides AS o
 WHERE o.user_id = :user_id
 ORDER BY o.id;

-- name: takeout_grants
-- What they may use beyond the plan, and what of it is burned by now.
SELECT g.id, g.unit, g.amount, g.burned + coalesce(b.units, 0) AS burned, g.source, g.reason, g.created_at,
       nullif(g.expires_at, 'infinity') AS expires_at, g.ended_at
  FROM grants AS g
  LEFT JOIN tk_burning(:user_id) AS b ON b.id = g.id
 WHERE g.user_id = :user_id
 ORDER BY g.id;

-- name: takeout_door
-- What providers told of their plan.
SELECT c.key, c.occurred_at, c.reference, c.is_superseded, c.created_at
  FROM door_changes AS c
 WHERE c.user_id = :user_id
 ORDER BY c.created_at, c.key;

-- name: takeout_door_state
-- The latest that providers told of their plan.
SELECT s.held_at, s.next_at, s.next_plan, s.next_cycle
  FROM door_states AS s
 WHERE s.user_id = :user_id;

-- name: takeout_subscriptions
-- Who they are at Stripe, and their subscriptions there.
SELECT c.customer_id, c.seen_at, s.subscription_id, s.status, s.prices, s.ends_at, s.event_at
  FROM stripe_customers AS c
  LEFT JOIN stripe_subscriptions AS s ON s.customer_id = c.customer_id
 WHERE c.user_id = :user_id
 ORDER BY c.customer_id, s.subscription_id;

-- name: takeout_variables
-- What they keep with us; secrets masked.
SELECT v.key, v.type, CASE WHEN v.type = 'secret' THEN v.hint ELSE v.value END AS value,
       v.description, v.created_at, v.updated_at
  FROM variables AS v
 WHERE v.user_id = :user_id
 ORDER BY v.key;

-- name: takeout_keys
-- Their keys, which nobody can read from here.
SELECT k.id, k.name, k.shown_as, k.scopes, k.addresses::text[] AS addresses, k.created_at, k.expires_at, k.revoked_at, k.last_used_at
  FROM api_keys AS k
 WHERE k.user_id = :user_id
 ORDER BY k.id;

-- name: takeout_passkeys
-- Their passkeys, of which we have the public half.
SELECT p.id, p.name, p.transports, p.is_synced, p.created_at, p.last_used_at
  FROM passkeys AS p
 WHERE p.user_id = :user_id
 ORDER BY p.id;

-- name: takeout_sign_ins
-- Where they signed in.
SELECT s.id, s.signed_in_by, s.ip_address, s.user_agent, s.created_at, s.last_seen_at, s.expires_at, s.ended_at
  FROM sessions AS s
 WHERE s.user_id = :user_id AND s.acted_from IS NULL
 ORDER BY s.id;

-- name: takeout_alerts
-- Which acts on their account they were told of by mail.
SELECT l.act_id AS activity_id, l.act_at, l.tries, l.sent_at
  FROM alerts AS l
 WHERE l.user_id = :user_id
 ORDER BY l.act_id;

-- name: takeout_events
-- What they were told of their plan and limits.
SELECT e.id, e.kind, e.data, e.created_at, e.seen_at
  FROM events AS e
 WHERE e.user_id = :user_id
 ORDER BY e.id;

-- name: takeout_webhooks
-- Which events about them other systems were told of.
SELECT d.event_id, e.kind, d.state, d.tries, d.created_at, d.delivered_at
  FROM webhook_deliveries AS d
  JOIN events AS e ON e.user_id = d.user_id AND e.id = d.event_id
 WHERE d.user_id = :user_id
 ORDER BY d.created_at, d.event_id, d.endpoint_id;

-- name: takeout_conversations
-- Their conversations, summed.
SELECT s.session_id, s.started_at, s.last_at, s.completed, s.failed, s.tokens_used, s.cost_nanos, s.unpriced
  FROM chat_sessions AS s
 WHERE s.user_id = :user_id
 ORDER BY s.started_at, s.session_id;

-- name: takeout_sums
-- Their finished requests summed: since the beginning, by day in their zone, by hour of UTC.
SELECT r.period, nullif(r.period_start, '-infinity') AS starts_at, r.model, r.category, r.request_type, r.complexity,
       r.completed, r.failed, r.tokens_used, r.tokens_input, r.tokens_output, r.tokens_cached, r.tokens_cache_write,
       r.tokens_reasoning, r.cost_nanos, r.unpriced, r.timed, r.duration_ms, r.rated, r.rating
  FROM usage_rollups AS r
 WHERE r.user_id = :user_id
 ORDER BY r.period, r.period_start, r.model, r.category, r.request_type, r.complexity;

-- name: takeout_names
-- What their requests were called by their programs.
SELECT k.namespace, k.key, k.request_id, k.created_at
  FROM request_keys AS k
 WHERE k.user_id = :user_id
 ORDER BY k.namespace, k.key;
