-- When an endpoint failed last: one that nothing was sent to for a while has not failed all the while.

ALTER TABLE webhook_endpoints ADD COLUMN failed_at timestamptz;
COMMENT ON COLUMN webhook_endpoints.failed_at IS 'When a try failed last.';
COMMENT ON COLUMN webhook_endpoints.failing_since IS 'When the first of those failed, without a gap in which nothing was tried for longer than a message waits.';
COMMENT ON COLUMN webhook_deliveries.tries IS 'How often it was tried to an end, since it was last asked for by hand.';
