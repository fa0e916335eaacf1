-- Signing in by e-mail and by GitHub, invitations, and allowances that bound asking and guessing.

ALTER TABLE sessions
    ADD COLUMN signed_in_by text NOT NULL DEFAULT 'link' CHECK (signed_in_by IN ('link', 'email', 'github', 'passkey')),
    ADD COLUMN network      text,
    ADD COLUMN browser_hash bytea CHECK (octet_length(browser_hash) = 32);
COMMENT ON COLUMN sessions.network IS 'Where the sign-in came from: an IPv4 /24 or an IPv6 /64. From there strangers cannot keep its user from asking.';
COMMENT ON COLUMN sessions.browser_hash IS 'The browser, by a cookie of its own that outlives sign-ins: from there neither.';

CREATE TABLE sign_in_asks (
    browser_hash bytea       PRIMARY KEY CHECK (octet_length(browser_hash) = 32),
    address      text        NOT NULL CHECK (length(address) BETWEEN 1 AND 320),
    code_hash    bytea       NOT NULL CHECK (octet_length(code_hash) = 32),
    token_hash   bytea       NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    leads_to     text        NOT NULL CHECK (length(leads_to) <= 500),
    wrong_codes  smallint    NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);
COMMENT ON TABLE sign_in_asks IS 'Who asked for a mail to sign in with: known or not, the same row. Its code and link work in the asking browser alone; one that is used is gone.';
CREATE INDEX ON sign_in_asks (lower(address));
CREATE INDEX ON sign_in_asks (expires_at);

CREATE TABLE github_asks (
    state_hash   bytea       PRIMARY KEY CHECK (octet_length(state_hash) = 32),
    browser_hash bytea       NOT NULL CHECK (octet_length(browser_hash) = 32),
    leads_to     text        NOT NULL CHECK (length(leads_to) <= 500),
    user_id      uuid        REFERENCES accounts (id) ON DELETE CASCADE,
    expires_at   timestamptz NOT NULL
);
COMMENT ON TABLE github_asks IS 'Who went to GitHub and has not come back. With a user: to connect GitHub with that account, else to sign in.';
CREATE INDEX ON github_asks (user_id);
CREATE INDEX ON github_asks (expires_at);

CREATE TABLE invitations (
    id         uuid        PRIMARY KEY DEFAULT tk_uuid7(tk_now()),
    address    text        NOT NULL CHECK (length(address) BETWEEN 1 AND 320),
    plan       varchar(50) NOT NULL REFERENCES plans (name),
    invited_by text        NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE invitations IS 'Addresses that may sign up. One that is accepted or withdrawn is gone: the log of activity knows it.';
CREATE UNIQUE INDEX ON invitations (lower(address));

CREATE TABLE allowances (
    subject     bytea       PRIMARY KEY CHECK (octet_length(subject) = 32),
    spent_until timestamptz NOT NULL
);
COMMENT ON TABLE allowances IS 'Of whom or what (a hash) how much is spent: it refills with time, and is whole at spent_until.';
CREATE INDEX ON allowances (spent_until);
