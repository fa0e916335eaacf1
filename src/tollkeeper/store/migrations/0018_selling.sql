-- Selling: which prices at Stripe mean which plan, who is which customer there, and what came by the door for providers.

ALTER TABLE plans
    ADD COLUMN stripe_price_monthly text CHECK (length(stripe_price_monthly) BETWEEN 1 AND 255),
    ADD COLUMN stripe_price_yearly  text CHECK (length(stripe_price_yearly) BETWEEN 1 AND 255);
COMMENT ON COLUMN plans.stripe_price_monthly IS 'The price at Stripe that means this plan, paid by the month. No part of what users agree to.';

CREATE TABLE door_changes (
    user_id       uuid         NOT NULL,
    key           varchar(255) NOT NULL,
    body_hash     bytea        NOT NULL,
    occurred_at   timestamptz  NOT NULL,
    reference     varchar(255),
    is_superseded boolean      NOT NULL,
    answer        bytea        NOT NULL,
    created_at    timestamptz  NOT NULL,
    PRIMARY KEY (user_id, key),
    CONSTRAINT door_changes_user_id_fkey FOREIGN KEY (user_id) REFERENCES accounts (id) ON DELETE CASCADE
);
COMMENT ON TABLE door_changes IS 'Changes of plan that a provider told of, by their idempotency key, with the answer of the first time. Forgotten after 90 days.';
CREATE INDEX door_changes_old ON door_changes (created_at);

CREATE TABLE door_states (
    user_id    uuid PRIMARY KEY,
    held_at    timestamptz,
    held_tie   bytea,
    next_at    timestamptz,
    next_tie   bytea,
    next_plan  varchar(50),
    next_cycle varchar(10) CHECK (next_cycle IN ('monthly', 'yearly')),
    CONSTRAINT door_states_user_id_fkey FOREIGN KEY (user_id) REFERENCES accounts (id) ON DELETE CASCADE
);
COMMENT ON TABLE door_states IS 'The latest that came by the door: of changes at once, and of those at the end of a period.';
COMMENT ON COLUMN door_states.held_tie IS 'Orders changes of one instant, whichever comes first.';

CREATE TABLE stripe_customers (
    customer_id varchar(255) PRIMARY KEY,
    user_id     uuid,
    seen_at     timestamptz NOT NULL,
    CONSTRAINT stripe_customers_user_id_fkey FOREIGN KEY (user_id) REFERENCES accounts (id) ON DELETE CASCADE
);
COMMENT ON TABLE stripe_customers IS 'Who is which customer at Stripe. Null: nothing has said so yet; forgotten after 90 days.';
CREATE INDEX stripe_customers_of_user ON stripe_customers (user_id);

CREATE TABLE stripe_subscriptions (
    customer_id     varchar(255) NOT NULL REFERENCES stripe_customers (customer_id) ON DELETE CASCADE,
    subscription_id varchar(255) NOT NULL,
    event_at        timestamptz  NOT NULL,
    precedence      smallint     NOT NULL,
    event_id        varchar(255) NOT NULL,
    status          text         NOT NULL,
    prices          text[]       NOT NULL,
    ends_at         timestamptz,
    has_counted     boolean      NOT NULL,
    PRIMARY KEY (customer_id, subscription_id)
);
COMMENT ON TABLE stripe_subscriptions IS 'Subscriptions at Stripe as the latest of their events has them: by its instant, its precedence among equals, its id.';
COMMENT ON COLUMN stripe_subscriptions.has_counted IS 'Whether any of its events was about a price of ours that was paid for or tried.';
