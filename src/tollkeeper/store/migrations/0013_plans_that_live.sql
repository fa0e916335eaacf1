-- Plans that live: versions of the catalogue, changes to come, exceptions and grants, limits by minute and at once.

-- The catalogue says more of each plan.
ALTER TABLE plans
    ADD COLUMN version             integer     NOT NULL DEFAULT 1,
    ADD COLUMN requests_per_minute bigint      CHECK (requests_per_minute >= 0),
    ADD COLUMN concurrent_requests bigint      CHECK (concurrent_requests >= 0),
    ADD COLUMN period              text        NOT NULL DEFAULT 'calendar' CHECK (period IN ('calendar', 'anniversary')),
    ADD COLUMN rollover_percent    smallint    NOT NULL DEFAULT 0 CHECK (rollover_percent BETWEEN 0 AND 100),
    ADD COLUMN refund              text        NOT NULL DEFAULT 'trusted' CHECK (refund IN ('trusted', 'never')),
    ADD COLUMN on_unavailable      text        NOT NULL DEFAULT 'closed' CHECK (on_unavailable IN ('closed', 'open')),
    ADD COLUMN entitlements        jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(entitlements) = 'object'),
    ADD COLUMN price_per_year      integer     CHECK (price_per_year >= 0),
    ADD COLUMN currency            varchar(3)  NOT NULL DEFAULT 'usd' CHECK (currency ~ '^[a-z]{3}$'),
    ADD COLUMN trial_days          integer     NOT NULL DEFAULT 0 CHECK (trial_days BETWEEN 0 AND 3650),
    ADD COLUMN self_service        boolean     NOT NULL DEFAULT false;
COMMENT ON COLUMN plans.version IS 'Which of plan_versions the plan is now; raised by a trigger with every change of what users agree to.';
COMMENT ON COLUMN plans.period IS 'Whether months are those of the calendar or begin on the day on which the plan was taken.';
COMMENT ON COLUMN plans.rollover_percent IS 'How much of what a month leaves unused is granted for the next.';
COMMENT ON COLUMN plans.refund IS 'Whether a failed request gives its unit back: to trusted callers, or to nobody.';
COMMENT ON COLUMN plans.on_unavailable IS 'What a client should do while tollkeeper is away: refuse (closed) or let pass (open).';
COMMENT ON COLUMN plans.price_per_year IS 'Cents. Null: not sold by the year.';
COMMENT ON COLUMN plans.self_service IS 'Whether users may take the plan by themselves.';

CREATE TABLE plan_versions (
    plan_name              varchar(50) NOT NULL,
    version                integer     NOT NULL,
    daily_requests         bigint,
    monthly_requests       bigint,
    max_tokens_per_request bigint,
    monthly_tokens         bigint,
    monthly_cost_nanos     bigint,
    requests_per_minute    bigint,
    concurrent_requests    bigint,
    features               jsonb       NOT NULL,
    entitlements           jsonb       NOT NULL,
    period                 text        NOT NULL,
    rollover_percent       smallint    NOT NULL,
    refund                 text        NOT NULL,
    on_unavailable         text        NOT NULL,
    price_per_month        integer     NOT NULL,
    price_per_year         integer,
    currency               varchar(3)  NOT NULL,
    billing_cycle          varchar(10) NOT NULL,
    created_at             timestamptz NOT NULL DEFAULT tk_now(),
    PRIMARY KEY (plan_name, version)
);
COMMENT ON TABLE plan_versions IS 'What users of a plan have agreed to. Never changed: the terms of a user name one of them.';

CREATE FUNCTION tk_note_plan_version() RETURNS trigger
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
                     v_terms.price_per_month, v_terms.price_per_year, v_terms.currency, v_terms.billing_cycle)
       IS DISTINCT FROM (NEW.daily_requests, NEW.monthly_requests, NEW.max_tokens_per_request, NEW.monthly_tokens,
                         NEW.monthly_cost_nanos, NEW.requests_per_minute, NEW.concurrent_requests, NEW.features,
                         NEW.entitlements, NEW.period, NEW.rollover_percent, NEW.refund, NEW.on_unavailable,
                         NEW.price_per_month, NEW.price_per_year, NEW.currency, NEW.billing_cycle) THEN
        INSERT INTO plan_versions (plan_name, version, daily_requests, monthly_requests, max_tokens_per_request, monthly_tokens,
                                   monthly_cost_nanos, requests_per_minute, concurrent_requests, features, entitlements, period,
                                   rollover_percent, refund, on_unavailable, price_per_month, price_per_year, currency,
                                   billing_cycle)
        VALUES (NEW.name, coalesce(v_terms.version, 0) + 1, NEW.daily_requests, NEW.monthly_requests,
                NEW.max_tokens_per_request, NEW.monthly_tokens, NEW.monthly_cost_nanos, NEW.requests_per_minute,
                NEW.concurrent_requests, NEW.features, NEW.entitlements, NEW.period, NEW.rollover_percent, NEW.refund,
                NEW.on_unavailable, NEW.price_per_month, NEW.price_per_year, NEW.currency, NEW.billing_cycle);
        UPDATE plans SET version = coalesce(v_terms.version, 0) + 1 WHERE name = NEW.name;
    END IF;
    RETURN NULL;
END
    $$;

-- What users have agreed to so far, told apart; the catalogue as it is comes last.
WITH known AS (
    SELECT t.plan_name, t.daily_requests, t.monthly_requests, t.max_tokens_per_request, t.monthly_tokens, t.monthly_cost_nanos,
           t.features, t.price_per_month, t.billing_cycle, min(t.starts_at) AS since
      FROM plan_terms AS t JOIN plans AS p ON p.name = t.plan_name
     GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
), current AS (
    SELECT p.name, p.daily_requests, p.monthly_requests, p.max_tokens_per_request, p.monthly_tokens, p.monthly_cost_nanos,
           p.features, p.price_per_month, p.billing_cycle, 'infinity'::timestamptz AS since
      FROM plans AS p
), told_apart AS (
    SELECT * FROM current
     UNION ALL
    SELECT k.* FROM known AS k
     WHERE NOT EXISTS (SELECT FROM current AS c
                        WHERE (c.name, c.daily_requests, c.monthly_requests, c.max_tokens_per_request, c.monthly_tokens,
                               c.monthly_cost_nanos, c.features, c.price_per_month, c.billing_cycle)
                              IS NOT DISTINCT FROM (k.plan_name, k.daily_requests, k.monthly_requests, k.max_tokens_per_request,
                               k.monthly_tokens, k.monthly_cost_nanos, k.features, k.price_per_month, k.billing_cycle))
)
INSERT INTO plan_versions (plan_name, version, daily_requests, monthly_requests, max_tokens_per_request, monthly_tokens,
                           monthly_cost_nanos, features, entitlements, period, rollover_percent, refund, on_unavailable,
                           price_per_month, currency, billing_cycle)
SELECT a.name, row_number() OVER (PARTITION BY a.name ORDER BY a.since), a.daily_requests, a.monthly_requests,
       a.max_tokens_per_request, a.monthly_tokens, a.monthly_cost_nanos, a.features, '{}', 'calendar', 0, 'trusted', 'closed',
       a.price_per_month, 'usd', a.billing_cycle
  FROM told_apart AS a;
UPDATE plans AS p SET version = (SELECT max(v.version) FROM plan_versions AS v WHERE v.plan_name = p.name);
CREATE TRIGGER note_version AFTER INSERT OR UPDATE ON plans FOR EACH ROW EXECUTE FUNCTION tk_note_plan_version();

-- Whose terms name a version instead of repeating it.
DROP VIEW user_plans;
ALTER TABLE plan_terms
    ADD COLUMN plan_version integer,
    ADD COLUMN kind         text        NOT NULL DEFAULT 'given'
        CHECK (kind IN ('given', 'upgraded', 'downgraded', 'cancelled', 'renewed', 'expired', 'migrated')),
    ADD COLUMN is_trial     boolean     NOT NULL DEFAULT false,
    ADD COLUMN anchored_at  timestamptz,
    ADD COLUMN given_until  timestamptz,
    ADD COLUMN next_plan    varchar(50),
    ADD COLUMN next_cycle   varchar(10) CHECK (next_cycle IN ('monthly', 'yearly'));
UPDATE plan_terms AS t
   SET anchored_at = t.starts_at, given_until = t.expires_at,
       plan_version = coalesce((SELECT v.version FROM plan_versions AS v
                                 WHERE (v.plan_name, v.daily_requests, v.monthly_requests, v.max_tokens_per_request,
                                        v.monthly_tokens, v.monthly_cost_nanos, v.features, v.price_per_month, v.billing_cycle)
                                       IS NOT DISTINCT FROM (t.plan_name, t.daily_requests, t.monthly_requests,
                                        t.max_tokens_per_request, t.monthly_tokens, t.monthly_cost_nanos, t.features,
                                        t.price_per_month, t.billing_cycle)
                                 ORDER BY v.version DESC LIMIT 1), 1);
ALTER TABLE plan_terms
    ALTER COLUMN plan_version SET NOT NULL,
    ALTER COLUMN anchored_at SET NOT NULL,
    DROP COLUMN plan_rank, DROP COLUMN daily_requests, DROP COLUMN monthly_requests, DROP COLUMN max_tokens_per_request,
    DROP COLUMN monthly_tokens, DROP COLUMN monthly_cost_nanos, DROP COLUMN features, DROP COLUMN price_per_month;
COMMENT ON COLUMN plan_terms.kind IS 'How the user came to them.';
COMMENT ON COLUMN plan_terms.anchored_at IS 'Periods of payment, and months of plans with anniversaries, are counted from here.';
COMMENT ON COLUMN plan_terms.given_until IS 'Until when they were given at most; they expire earlier where something else was arranged.';
COMMENT ON COLUMN plan_terms.next_plan IS 'What follows when they expire. Null: free.';

CREATE VIEW user_plans AS
SELECT t.id, t.user_id, t.plan_name, v.monthly_requests, v.daily_requests, v.max_tokens_per_request, v.features,
       (t.starts_at <= n.now AND t.ended_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > n.now)) AS is_active,
       v.price_per_month, t.billing_cycle, t.starts_at, t.expires_at, t.created_at, t.updated_at,
       v.monthly_tokens, v.monthly_cost_nanos, t.ended_at, t.plan_version, t.kind, t.is_trial, t.next_plan
  FROM plan_terms AS t
  JOIN plan_versions AS v ON v.plan_name = t.plan_name AND v.version = t.plan_version
  CROSS JOIN (SELECT tk_now() AS now) AS n;
COMMENT ON VIEW user_plans IS 'The terms each user had and has. is_active is computed on reading, so it cannot go stale.';

-- Exceptions.
CREATE TABLE plan_overrides (
    user_id    uuid        NOT NULL,
    id         uuid        NOT NULL,
    limits     jsonb       NOT NULL CHECK (jsonb_typeof(limits) = 'object'),
    reason     text        NOT NULL CHECK (length(reason) BETWEEN 1 AND 1000),
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz CHECK (ends_at > starts_at),
    ended_at   timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, id),
    CONSTRAINT plan_overrides_user_id_fkey FOREIGN KEY (user_id) REFERENCES accounts (id) ON DELETE CASCADE
);
COMMENT ON TABLE plan_overrides IS 'Limits of one user that differ from their plan''s, for a time and for a reason. The newest counts.';

CREATE TABLE grants (
    user_id    uuid        NOT NULL,
    id         uuid        NOT NULL,
    unit       text        NOT NULL CHECK (unit IN ('requests', 'tokens', 'cost')),
    amount     bigint      NOT NULL CHECK (amount > 0),
    burned     bigint      NOT NULL DEFAULT 0 CHECK (burned BETWEEN 0 AND amount),
    priority   smallint    NOT NULL DEFAULT 0,
    source     text        NOT NULL CHECK (source IN ('operator', 'rollover')),
    reason     text        NOT NULL CHECK (length(reason) <= 1000),
    expires_at timestamptz NOT NULL DEFAULT 'infinity',
    ended_at   timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, id),
    CONSTRAINT grants_user_id_fkey FOREIGN KEY (user_id) REFERENCES accounts (id) ON DELETE CASCADE
);
COMMENT ON TABLE grants IS 'What users may use beyond the month''s allowance: requests, tokens or money (nano-USD). Burned after it.';
COMMENT ON COLUMN grants.burned IS 'Settled when a month, a grant or a plan ends; until then what is burned follows from what is used.';
COMMENT ON COLUMN grants.priority IS 'Lower ones are burned first, among equals the one that expires soonest.';
CREATE INDEX grants_left ON grants (user_id, expires_at) WHERE burned < amount AND ended_at IS NULL;

-- The mutex of a user learns what else limits them.
ALTER TABLE usage
    DROP COLUMN plan_rank,
    ADD COLUMN requests_per_minute bigint,
    ADD COLUMN concurrent_requests bigint,
    ADD COLUMN refunds             boolean     NOT NULL DEFAULT true,
    ADD COLUMN next_plan           varchar(50),
    ADD COLUMN month_anchor        timestamptz,
    ADD COLUMN rollover_percent    smallint    NOT NULL DEFAULT 0,
    ADD COLUMN terms_due_at        timestamptz NOT NULL DEFAULT 'infinity',
    ADD COLUMN terms_at            timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN minute_starts_at    timestamptz NOT NULL DEFAULT 'epoch',
    ADD COLUMN minute_requests     bigint      NOT NULL DEFAULT 0 CHECK (minute_requests >= 0),
    ADD COLUMN pending_requests    bigint      NOT NULL DEFAULT 0 CHECK (pending_requests >= 0),
    ADD COLUMN extra_requests      bigint      NOT NULL DEFAULT 0 CHECK (extra_requests >= 0),
    ADD COLUMN extra_tokens        bigint      NOT NULL DEFAULT 0 CHECK (extra_tokens >= 0),
    ADD COLUMN extra_nanos         bigint      NOT NULL DEFAULT 0 CHECK (extra_nanos >= 0),
    ADD COLUMN burned_requests     bigint      NOT NULL DEFAULT 0 CHECK (burned_requests >= 0),
    ADD COLUMN burned_tokens       bigint      NOT NULL DEFAULT 0 CHECK (burned_tokens >= 0),
    ADD COLUMN burned_nanos        bigint      NOT NULL DEFAULT 0 CHECK (burned_nanos >= 0);
COMMENT ON COLUMN usage.refunds IS 'Whether failed requests of trusted callers give their unit back.';
COMMENT ON COLUMN usage.month_anchor IS 'Months begin on its day and hour. Null: months of the calendar.';
COMMENT ON COLUMN usage.terms_due_at IS 'When the next override or grant ends.';
COMMENT ON COLUMN usage.terms_at IS 'As of when the limits in force were put together.';
COMMENT ON COLUMN usage.pending_requests IS 'How many are under way: pending, swept or not.';
COMMENT ON COLUMN usage.extra_requests IS 'What grants add to this month: what is left of them, and what of them this month has burned and settled.';
ALTER TYPE tk_change ADD ATTRIBUTE ended integer;
COMMENT ON COLUMN tk_change.ended IS 'How many pending requests it ends.';
COMMENT ON COLUMN usage.burned_requests IS 'What of grants this month has burned and settled.';
UPDATE usage AS u
   SET pending_requests = (SELECT count(*) FROM chat_requests AS r WHERE r.user_id = u.user_id AND r.status = 'pending');

CREATE OR REPLACE VIEW users AS
SELECT a.id, i.shown_as AS email, a.name, a.image, g.value AS github_id, a.last_login_at, a.created_at, a.updated_at,
       CASE WHEN p.expired THEN coalesce(u.next_plan, 'free') ELSE u.plan_name END AS plan,
       CASE WHEN p.expired THEN NULL ELSE u.plan_expires_at END AS plan_expires_at,
       CASE WHEN u.month_ends_at <= p.now THEN 0 ELSE u.month_requests END AS requests_used,
       CASE WHEN p.expired THEN f.monthly_requests
            ELSE u.monthly_requests + u.extra_requests
                 - CASE WHEN u.month_ends_at <= p.now THEN u.burned_requests ELSE 0 END END AS requests_limit,
       u.is_active, a.role,
       coalesce(u.next_zone, u.day_zone) AS time_zone
  FROM accounts AS a
  JOIN usage AS u ON u.user_id = a.id
  CROSS JOIN LATERAL (SELECT n.now, coalesce(u.plan_expires_at <= n.now, false) AS expired
                        FROM (SELECT tk_now() AS now) AS n) AS p
  LEFT JOIN plans AS f ON f.name = coalesce(u.next_plan, 'free')
  LEFT JOIN user_identities AS i ON i.user_id = a.id AND i.kind = 'email'
  LEFT JOIN user_identities AS g ON g.user_id = a.id AND g.kind = 'github';
