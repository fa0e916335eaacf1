-- What both self-built services keep: the columns that tollkeeper's seed gives a chat request, in one table, and one row
-- of totals for each user, so that a dashboard need not add up all requests.

CREATE TABLE chat_requests (
    id            uuid        PRIMARY KEY DEFAULT uuidv7(),
    user_id       text        NOT NULL,
    session_id    text,
    prompt        text        NOT NULL,
    response      text,
    model         text,
    request_type  text        NOT NULL DEFAULT 'chat',
    category      text,
    complexity    text,
    tokens_used   integer,
    tokens_input  integer,
    tokens_output integer,
    cost_nanos    bigint,
    duration      integer,
    status        text        NOT NULL DEFAULT 'pending',
    error_message text,
    ip_address    text,
    user_agent    text,
    started_at    timestamptz NOT NULL DEFAULT now(),
    completed_at  timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now()
-- Half of each page is left for the answers, so that finishing a request touches no index.
) WITH (fillfactor = 50);
CREATE INDEX chat_requests_by_user ON chat_requests (user_id, created_at);
CREATE INDEX chat_requests_by_session ON chat_requests (user_id, session_id);

CREATE TABLE user_totals (
    user_id       text    PRIMARY KEY,
    requests      bigint  NOT NULL,
    completed     bigint  NOT NULL,
    failed        bigint  NOT NULL,
    tokens_input  bigint  NOT NULL,
    tokens_output bigint  NOT NULL,
    cost_nanos    bigint  NOT NULL,
    duration      bigint  NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE api_keys (
    key_hash bytea PRIMARY KEY,
    name     text  NOT NULL
);

-- As rate-limiter-flexible makes it, with room in its pages for counters that change all the time. Used by Node only.
CREATE TABLE rate_limits (
    key    varchar(255) PRIMARY KEY,
    points integer      NOT NULL DEFAULT 0,
    expire bigint
) WITH (fillfactor = 50);

CREATE TABLE prices (
    model        text   PRIMARY KEY,
    input_nanos  bigint NOT NULL,
    output_nanos bigint NOT NULL
);
COMMENT ON TABLE prices IS 'Nano-USD for one token.';
INSERT INTO prices VALUES
    ('claude-3-5-haiku-20241022', 800, 4000), ('claude-3-5-sonnet-20240620', 3000, 15000),
    ('claude-3-7-sonnet-20250219', 3000, 15000), ('claude-3-haiku-20240307', 250, 1250),
    ('claude-3-opus-20240229', 15000, 75000), ('gpt-3.5-turbo-0125', 500, 1500), ('gpt-3.5-turbo-instruct', 1500, 2000),
    ('gpt-4-0613', 30000, 60000), ('gpt-4.1-2025-04-14', 2000, 8000), ('gpt-4.1-mini-2025-04-14', 400, 1600),
    ('gpt-4.1-nano-2025-04-14', 100, 400), ('gpt-4o', 2500, 10000), ('gpt-4o-2024-08-06', 2500, 10000),
    ('gpt-4o-mini-2024-07-18', 150, 600), ('gpt-5-2025-08-07', 1250, 10000), ('gpt-5-nano-2025-08-07', 50, 400);
