-- Passkeys, the ceremonies in which they are made and used, and pictures of users.

CREATE TABLE passkeys (
    id            uuid        PRIMARY KEY DEFAULT tk_uuid7(tk_now()),
    credential_id bytea       NOT NULL UNIQUE CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    user_id       uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    public_key    bytea       NOT NULL CHECK (octet_length(public_key) BETWEEN 1 AND 2048),
    sign_count    bigint      NOT NULL CHECK (sign_count BETWEEN 0 AND 4294967295),
    name          text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    transports    text[]      NOT NULL,
    is_synced     boolean     NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT tk_now(),
    last_used_at  timestamptz
);
COMMENT ON TABLE passkeys IS 'What people sign in with beside mail and GitHub. The secret half never leaves their devices.';
COMMENT ON COLUMN passkeys.sign_count IS 'How often it signed, where its device counts. One that goes back was copied.';
CREATE INDEX ON passkeys (user_id);

CREATE TABLE passkey_ceremonies (
    browser_hash   bytea       PRIMARY KEY CHECK (octet_length(browser_hash) = 32),
    challenge_hash bytea       NOT NULL CHECK (octet_length(challenge_hash) = 32),
    user_id        uuid        REFERENCES accounts (id) ON DELETE CASCADE,
    expires_at     timestamptz NOT NULL
);
COMMENT ON TABLE passkey_ceremonies IS 'What a browser was asked to sign, once and soon: its last one only. With a user it makes a passkey, without it signs in.';
CREATE INDEX ON passkey_ceremonies (expires_at);
CREATE INDEX ON passkey_ceremonies (user_id);

-- A small picture as a data: URL. The policy of our pages lets them load nothing from elsewhere.
ALTER TABLE accounts DROP CONSTRAINT accounts_image_check;
ALTER TABLE accounts ADD CONSTRAINT accounts_image_check CHECK (length(image) <= 32768);
