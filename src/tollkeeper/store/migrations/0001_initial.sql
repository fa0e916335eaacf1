-- Who the users are: accounts, what identifies them, variables, preferences, sessions, activity, API keys.
-- Tables of user data are keyed by (user_id, id), so that they can be distributed by user. What is looked up
-- without a user (e-mail, key and session hashes) stands in small tables of its own.

CREATE FUNCTION tk_now() RETURNS timestamptz
    LANGUAGE sql VOLATILE PARALLEL SAFE
    AS 'SELECT clock_timestamp()';
COMMENT ON FUNCTION tk_now() IS 'The one clock of every deciding statement. Tests replace it as the owner; the service cannot.';

CREATE FUNCTION tk_uuid7(p_at timestamptz) RETURNS uuid
    LANGUAGE sql VOLATILE PARALLEL SAFE
    AS $$
    -- RFC 9562, version 7, method 3: 48 bits of milliseconds, 12 bits of the millisecond's fraction, 62 random bits.
    SELECT encode(
               substring(int8send(t.us / 1000) FROM 3)
               || int2send((28672 + (t.us % 1000) * 4096 / 1000)::int2)
               || substring(uuid_send(gen_random_uuid()) FROM 9),
               'hex')::uuid
      FROM (SELECT (extract(epoch FROM p_at) * 1000000)::bigint AS us) AS t
    $$;
COMMENT ON FUNCTION tk_uuid7(timestamptz) IS 'A time-ordered id of that instant; PostgreSQL 15 has none of its own.';

CREATE FUNCTION tk_first_uuid7(p_at timestamptz) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT encode(substring(int8send(floor(extract(epoch FROM p_at) * 1000)::bigint) FROM 3)
                  || '\x00000000000000000000'::bytea, 'hex')::uuid
    $$;
COMMENT ON FUNCTION tk_first_uuid7(timestamptz) IS 'Not above any id of that millisecond: a range of ids is a range in time.';

CREATE TABLE accounts (
    id            uuid        PRIMARY KEY DEFAULT tk_uuid7(tk_now()),
    name          text        CHECK (length(name) <= 200),
    image         text        CHECK (length(image) <= 2000),
    role          text        NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
    last_login_at timestamptz,
    created_at    timestamptz NOT NULL DEFAULT tk_now(),
    updated_at    timestamptz NOT NULL DEFAULT tk_now()
);
COMMENT ON TABLE accounts IS 'One row for each user. What they use and may stands in usage; the view users shows both.';

CREATE TABLE user_identities (
    kind       text        NOT NULL CHECK (kind IN ('email', 'github')),
    value      text        NOT NULL CHECK (length(value) BETWEEN 1 AND 320),
    user_id    uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    shown_as   text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT tk_now(),
    PRIMARY KEY (kind, value),
    UNIQUE (user_id, kind)
);
COMMENT ON TABLE user_identities IS 'value is what is compared (an e-mail in lower case), shown_as what its owner wrote.';

CREATE TABLE variables (
    user_id     uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    id          uuid        NOT NULL DEFAULT tk_uuid7(tk_now()),
    key         text        NOT NULL CHECK (key ~ '^[A-Za-z_][A-Za-z0-9_.-]{0,127}$'),
    type        text        NOT NULL DEFAULT 'string' CHECK (type IN ('string', 'number', 'boolean', 'json', 'secret')),
    value       text        CHECK (octet_length(value) <= 65536),
    sealed      bytea,
    sealed_with integer,
    hint        text,
    description text        CHECK (length(description) <= 2000),
    created_at  timestamptz NOT NULL DEFAULT tk_now(),
    updated_at  timestamptz NOT NULL DEFAULT tk_now(),
    PRIMARY KEY (user_id, id),
    UNIQUE (user_id, key),
    CHECK ((type = 'secret') = (sealed IS NOT NULL AND sealed_with IS NOT NULL)),
    CHECK ((value IS NULL) = (type = 'secret'))
);
COMMENT ON COLUMN variables.sealed IS 'A secret: AES-256-GCM nonce and ciphertext, bound to user and key, under master key sealed_with.';

CREATE TABLE preferences (
    user_id    uuid        PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    settings   jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(settings) = 'object'),
    updated_at timestamptz NOT NULL DEFAULT tk_now()
);

CREATE TABLE sessions (
    id           uuid        PRIMARY KEY DEFAULT tk_uuid7(tk_now()),
    token_hash   bytea       NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    user_id      uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    ip_address   text,
    user_agent   text,
    created_at   timestamptz NOT NULL DEFAULT tk_now(),
    last_seen_at timestamptz NOT NULL DEFAULT tk_now(),
    expires_at   timestamptz NOT NULL,
    ended_at     timestamptz
);
COMMENT ON TABLE sessions IS 'Sign-ins (in code: login sessions). Conversations are chat_sessions.';
CREATE INDEX ON sessions (user_id);

CREATE TABLE sign_in_links (
    token_hash bytea       PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id    uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT tk_now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX ON sign_in_links (user_id);

CREATE TABLE activity (
    user_id    uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    id         uuid        NOT NULL DEFAULT tk_uuid7(tk_now()),
    actor      text        NOT NULL,
    action     text        NOT NULL,
    detail     jsonb       NOT NULL DEFAULT '{}',
    ip_address text,
    user_agent text,
    created_at timestamptz NOT NULL DEFAULT tk_now(),
    PRIMARY KEY (user_id, id)
);
COMMENT ON TABLE activity IS 'Append-only: the service may add and read. The nil user stands for acts on no single user.';

CREATE TABLE api_keys (
    id           uuid        PRIMARY KEY DEFAULT tk_uuid7(tk_now()),
    key_hash     bytea       NOT NULL UNIQUE CHECK (octet_length(key_hash) = 32),
    kind         text        NOT NULL CHECK (kind IN ('user', 'service')),
    user_id      uuid        REFERENCES accounts (id) ON DELETE CASCADE,
    name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    shown_as     text        NOT NULL,
    scopes       text[]      NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT tk_now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    CHECK ((kind = 'user') = (user_id IS NOT NULL))
);
CREATE INDEX ON api_keys (user_id);

CREATE VIEW users AS
SELECT a.id, i.shown_as AS email, a.name, a.image, g.value AS github_id, a.last_login_at, a.created_at, a.updated_at
  FROM accounts AS a
  LEFT JOIN user_identities AS i ON i.user_id = a.id AND i.kind = 'email'
  LEFT JOIN user_identities AS g ON g.user_id = a.id AND g.kind = 'github';
