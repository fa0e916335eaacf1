-- Webhooks: where other systems are told of events, and what became of each telling.

CREATE TABLE webhook_endpoints (
    id             uuid        PRIMARY KEY,
    url            text        NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    description    text        NOT NULL DEFAULT '' CHECK (length(description) <= 500),
    kinds          text[]      NOT NULL DEFAULT '{}'
        CHECK (kinds <@ ARRAY['limit.threshold', 'limit.reached', 'plan.changed', 'plan.expiring', 'plan.expired',
                              'request.unpriced', 'spend.unusual']),
    is_active      boolean     NOT NULL DEFAULT true,
    disabled_at    timestamptz,
    disabled_for   text        CHECK (disabled_for IN ('operator', 'gone', 'failing')),
    generation     integer     NOT NULL DEFAULT 1 CHECK (generation > 0),
    rotated_at     timestamptz,
    failures       integer     NOT NULL DEFAULT 0,
    failing_since  timestamptz,
    resting_until  timestamptz,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CHECK (is_active = (disabled_at IS NULL) AND is_active = (disabled_for IS NULL))
);
COMMENT ON TABLE webhook_endpoints IS 'Where events are sent, as operators decided; at most ten.';
COMMENT ON COLUMN webhook_endpoints.kinds IS 'Which kinds of events it wants. None named: all.';
COMMENT ON COLUMN webhook_endpoints.disabled_for IS 'operator: switched off; gone: it answered 410; failing: all failed for five days.';
COMMENT ON COLUMN webhook_endpoints.generation IS 'Its secret is derived from this number, its id and the master key, and is kept nowhere.';
COMMENT ON COLUMN webhook_endpoints.rotated_at IS 'When the generation rose: for a day the one before signs along.';
COMMENT ON COLUMN webhook_endpoints.failures IS 'Tries that failed since the last that did not.';
COMMENT ON COLUMN webhook_endpoints.failing_since IS 'When the first of those failed.';
COMMENT ON COLUMN webhook_endpoints.resting_until IS 'Until then it is spared: too many failed, or it asked for it.';

CREATE TABLE webhook_deliveries (
    user_id      uuid        NOT NULL,
    event_id     uuid        NOT NULL,
    endpoint_id  uuid        NOT NULL,
    state        text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
    due_at       timestamptz,
    tries        smallint    NOT NULL DEFAULT 0,
    taken        integer     NOT NULL DEFAULT 0,
    attempts     jsonb       NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(attempts) = 'array'),
    created_at   timestamptz NOT NULL,
    delivered_at timestamptz,
    PRIMARY KEY (user_id, event_id, endpoint_id),
    FOREIGN KEY (user_id, event_id) REFERENCES events (user_id, id) ON DELETE CASCADE,
    CONSTRAINT webhook_deliveries_user_id_fkey FOREIGN KEY (user_id) REFERENCES accounts (id) ON DELETE CASCADE,
    CHECK ((state = 'waiting') = (due_at IS NOT NULL)),
    CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
);
COMMENT ON TABLE webhook_deliveries IS 'One event for one endpoint. Goes with its event.';
COMMENT ON COLUMN webhook_deliveries.endpoint_id IS 'No foreign key: a request that tells something neither waits nor fails while an endpoint is removed.';
COMMENT ON COLUMN webhook_deliveries.due_at IS 'From when on a node may take it: at once, after the lease of one that does, or after a failure.';
COMMENT ON COLUMN webhook_deliveries.tries IS 'How often it was tried, since it was last asked for by hand.';
COMMENT ON COLUMN webhook_deliveries.taken IS 'How often it was taken: whoever took it before the last time has nothing more to say.';
COMMENT ON COLUMN webhook_deliveries.attempts IS 'The last ten, the oldest first: when it ended, status or error, and how long it took.';
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (endpoint_id, created_at, event_id);
CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (endpoint_id, created_at) WHERE state = 'failed';

CREATE FUNCTION tk_fan_out_event() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    -- In the transaction of the event: what is committed is delivered, and what is not is never sent.
    INSERT INTO webhook_deliveries (user_id, event_id, endpoint_id, due_at, created_at)
    SELECT NEW.user_id, NEW.id, w.id, NEW.created_at, NEW.created_at
      FROM webhook_endpoints AS w
     WHERE w.is_active AND (w.kinds = '{}' OR NEW.kind = ANY (w.kinds));
    RETURN NULL;
END
    $$;
CREATE TRIGGER fan_out AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION tk_fan_out_event();
