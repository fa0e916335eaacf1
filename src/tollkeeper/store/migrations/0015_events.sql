-- Events: what users, operators and other systems are told of, written in the transaction that caused it.

CREATE TABLE events (
    user_id     uuid        NOT NULL,
    id          uuid        NOT NULL,
    kind        text        NOT NULL CHECK (kind IN ('limit.threshold', 'limit.reached', 'plan.changed', 'plan.expiring',
                                                     'plan.expired', 'request.unpriced', 'spend.unusual')),
    once        text        NOT NULL,
    data        jsonb       NOT NULL CHECK (jsonb_typeof(data) = 'object'),
    created_at  timestamptz NOT NULL,
    seen_at     timestamptz,
    mail_due_at timestamptz,
    mail_tries  smallint    NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, id),
    CONSTRAINT events_once UNIQUE (user_id, once),
    CONSTRAINT events_user_id_fkey FOREIGN KEY (user_id) REFERENCES accounts (id) ON DELETE CASCADE
);
COMMENT ON TABLE events IS 'What a user is told of: in the page, by mail, and through webhooks. Forgotten after 90 days.';
COMMENT ON COLUMN events.once IS 'What it is about, with its period: the same is told once.';
COMMENT ON COLUMN events.data IS 'As the API shows it.';
COMMENT ON COLUMN events.seen_at IS 'When the user saw it in the page.';
COMMENT ON COLUMN events.mail_due_at IS 'From when on a node may mail it: at once, after the lease of one that does, or after a failure. Null: nothing to mail.';
CREATE INDEX events_to_mail ON events (mail_due_at) WHERE mail_due_at IS NOT NULL;
CREATE INDEX events_unseen ON events (user_id) WHERE seen_at IS NULL;
CREATE INDEX events_by_time ON events (created_at, id);

-- At how much of a limit users are warned.
ALTER TABLE plans
    ADD COLUMN warn_at smallint[] NOT NULL DEFAULT '{50,80,100}'
        CHECK (cardinality(warn_at) <= 10 AND 1 <= ALL (warn_at) AND 100 >= ALL (warn_at));
COMMENT ON COLUMN plans.warn_at IS 'Percentages of the limits by day and month. That one is reached is told in any case.';
ALTER TABLE plan_versions ADD COLUMN warn_at smallint[] NOT NULL DEFAULT '{50,80,100}';
ALTER TABLE plan_versions ALTER COLUMN warn_at DROP DEFAULT;

CREATE OR REPLACE FUNCTION tk_note_plan_version() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_terms plan_versions;
BEGIN
    -- However a plan is changed: what somebody has agreed to stays as a version of its own.
    SELECT v.* INTO v_terms FROM plan_versions AS v WHERE v.plan_name = NEW.name ORDER BY v.version DESC LIMIT 1;
    IF NOT FOUND OR (v_terms.daily_requests, v_terms.monthly_requests, v_terms.max_tokens_per_request, v_terms.monthly_tokens,
                     v_terms.monthly_cost_nanos, v_terms.requests_per_minute, v_terms.concurrent_requests, v_terms.features,
                     v_terms.entitlements, v_terms.period, v_terms.rollover_percent, v_terms.refund, v_terms.on_unavailable,
                     v_terms.price_per_month, v_terms.price_per_year, v_terms.currency, v_terms.billing_cycle, v_terms.warn_at)
       IS DISTINCT FROM (NEW.daily_requests, NEW.monthly_requests, NEW.max_tokens_per_request, NEW.monthly_tokens,
                         NEW.monthly_cost_nanos, NEW.requests_per_minute, NEW.concurrent_requests, NEW.features,
                         NEW.entitlements, NEW.period, NEW.rollover_percent, NEW.refund, NEW.on_unavailable,
                         NEW.price_per_month, NEW.price_per_year, NEW.currency, NEW.billing_cycle, NEW.warn_at) THEN
        INSERT INTO plan_versions (plan_name, version, daily_requests, monthly_requests, max_tokens_per_request, monthly_tokens,
                                   monthly_cost_nanos, requests_per_minute, concurrent_requests, features, entitlements, period,
                                   rollover_percent, refund, on_unavailable, price_per_month, price_per_year, currency,
                                   billing_cycle, warn_at)
        VALUES (NEW.name, coalesce(v_terms.version, 0) + 1, NEW.daily_requests, NEW.monthly_requests,
                NEW.max_tokens_per_request, NEW.monthly_tokens, NEW.monthly_cost_nanos, NEW.requests_per_minute,
                NEW.concurrent_requests, NEW.features, NEW.entitlements, NEW.period, NEW.rollover_percent, NEW.refund,
                NEW.on_unavailable, NEW.price_per_month, NEW.price_per_year, NEW.currency, NEW.billing_cycle, NEW.warn_at);
        UPDATE plans SET version = coalesce(v_terms.version, 0) + 1 WHERE name = NEW.name;
    END IF;
    RETURN NULL;
END
    $$;

-- The mutex of a user knows at which counts it has something to tell, so that a request only compares.
ALTER TABLE usage
    ADD COLUMN own_warn_at         smallint[] CHECK (cardinality(own_warn_at) <= 10 AND 1 <= ALL (own_warn_at) AND 100 >= ALL (own_warn_at)),
    ADD COLUMN warn_at             smallint[] NOT NULL DEFAULT '{50,80,100}',
    ADD COLUMN warn_day_requests   bigint,
    ADD COLUMN warn_month_requests bigint,
    ADD COLUMN warn_month_tokens   bigint,
    ADD COLUMN warn_month_nanos    bigint,
    ADD COLUMN unusual_at_nanos    bigint,
    ADD COLUMN expiring_at         timestamptz;
-- Neither changes with a request, so updates of the row stay within their page.
CREATE INDEX usage_plan_ends ON usage (least(expiring_at, plan_expires_at)) WHERE least(expiring_at, plan_expires_at) IS NOT NULL;
COMMENT ON COLUMN usage.own_warn_at IS 'The percentages that the user chose. Null: those of the plan.';
COMMENT ON COLUMN usage.warn_at IS 'The percentages in force.';
COMMENT ON COLUMN usage.warn_day_requests IS 'The count of the window at which there is something to tell. Null: nothing more in this window.';
COMMENT ON COLUMN usage.unusual_at_nanos IS 'The cost of the month at which today''s begins to be unusual. Null: not today.';
COMMENT ON COLUMN usage.expiring_at IS 'When to tell that the plan ends. Null: nothing to tell, or told.';
-- What was used before is told of with the next use.
UPDATE usage AS u
   SET warn_day_requests   = nullif((u.daily_requests + 1) / 2, 0),
       warn_month_requests = nullif((u.monthly_requests + u.extra_requests + 1) / 2, 0),
       warn_month_tokens   = nullif((u.monthly_tokens + u.extra_tokens + 1) / 2, 0),
       warn_month_nanos    = nullif((u.monthly_cost_nanos + u.extra_nanos + 1) / 2, 0);
UPDATE usage AS u
   SET expiring_at = u.plan_expires_at - interval '3 days',
       due_at      = least(u.due_at, u.plan_expires_at - interval '3 days')
 WHERE u.plan_expires_at - interval '3 days' > tk_now() AND u.next_plan IS DISTINCT FROM u.plan_name;
