-- Terms are active while the usage row names them, so that a clock that goes back ends none and brings none back.

CREATE OR REPLACE VIEW user_plans AS
SELECT t.id, t.user_id, t.plan_name, v.monthly_requests, v.daily_requests, v.max_tokens_per_request, v.features,
       (t.id = u.plan_terms_id AND (t.expires_at IS NULL OR t.expires_at > n.now)) AS is_active,
       v.price_per_month, t.billing_cycle, t.starts_at, t.expires_at, t.created_at, t.updated_at,
       v.monthly_tokens, v.monthly_cost_nanos, t.ended_at, t.plan_version, t.kind, t.is_trial, t.next_plan
  FROM plan_terms AS t
  JOIN usage AS u ON u.user_id = t.user_id
  JOIN plan_versions AS v ON v.plan_name = t.plan_name AND v.version = t.plan_version
  CROSS JOIN (SELECT tk_now() AS now) AS n;
