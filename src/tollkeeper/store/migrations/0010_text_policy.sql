-- What is kept of texts, and for how long: by plan, as the catalogue says now.

ALTER TABLE plans
    ADD COLUMN text_policy text NOT NULL DEFAULT 'all' CHECK (text_policy IN ('all', 'redacted', 'none')),
    ADD COLUMN retain_text_days integer CHECK (retain_text_days BETWEEN 1 AND 36500);
COMMENT ON COLUMN plans.text_policy IS 'What is kept of the texts of whoever is on the plan. Unlike limits it is no part of terms: a change holds at once.';
COMMENT ON COLUMN plans.retain_text_days IS 'How old texts of requests under the plan get. Null: as old as the setting says.';
-- Every set asks it; where all texts are kept it is empty.
CREATE INDEX plans_that_keep_less ON plans (name) WHERE text_policy <> 'all';

ALTER TABLE chat_requests ADD COLUMN response_hash bytea;
COMMENT ON COLUMN chat_requests.response_hash IS 'SHA-256 of the response as it was sent, where it was not kept as that: so the same response again is known.';

CREATE TABLE plan_texts (
    plan_name          varchar(50) PRIMARY KEY REFERENCES plans (name),
    texts_from         timestamptz,
    texts_refused_from timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL DEFAULT tk_now()
);
COMMENT ON TABLE plan_texts IS 'As retention, for requests under one plan. Plans of which texts were never cleared have no row.';
