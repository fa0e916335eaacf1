-- From where keys may be used and what took their place; which versions of the master key there are.

ALTER TABLE api_keys
    ADD COLUMN addresses cidr[] NOT NULL DEFAULT '{}' CHECK (cardinality(addresses) <= 50),
    ADD COLUMN replaces  uuid   UNIQUE REFERENCES api_keys (id) ON DELETE SET NULL;
COMMENT ON COLUMN api_keys.addresses IS 'Networks from which the key may be used; none named: from anywhere.';
COMMENT ON COLUMN api_keys.replaces IS 'The key in whose place this one came by rotation, which ends by itself.';

CREATE TABLE master_keys (
    version     integer     PRIMARY KEY CHECK (version > 0),
    fingerprint bytea       NOT NULL CHECK (octet_length(fingerprint) = 32),
    added_at    timestamptz NOT NULL DEFAULT tk_now()
);
COMMENT ON TABLE master_keys IS 'Which versions of the master key there are; of each what tells it from another, and says nothing of it.';

CREATE TABLE sealing (
    is_the_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_the_only_row),
    version         integer NOT NULL REFERENCES master_keys (version),
    fingerprint     bytea   NOT NULL
);
COMMENT ON TABLE sealing IS 'Under which version secrets are sealed now. Whoever seals holds the row until the commit, so that no old seal comes after a change.';

ALTER TABLE nodes ADD COLUMN master_keys bytea[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN nodes.master_keys IS 'Fingerprints of the versions of the master key that the process has.';
