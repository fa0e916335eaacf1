-- What is given back within a month was not burned, and what an allowance has covered burns no grant.

ALTER TABLE usage
    ADD COLUMN covered_requests bigint NOT NULL DEFAULT 0 CHECK (covered_requests >= 0),
    ADD COLUMN covered_tokens   bigint NOT NULL DEFAULT 0 CHECK (covered_tokens >= 0),
    ADD COLUMN covered_nanos    bigint NOT NULL DEFAULT 0 CHECK (covered_nanos >= 0);
COMMENT ON COLUMN usage.covered_requests IS 'What of the month''s use was within allowances when limits were last put in force: beyond it, and beyond the allowance, grants burn.';

ALTER TABLE grants ADD COLUMN burned_before bigint NOT NULL DEFAULT 0 CHECK (burned_before BETWEEN 0 AND burned);
COMMENT ON COLUMN grants.burned_before IS 'What of burned is of earlier months, and is never given back.';
UPDATE grants SET burned_before = burned;
