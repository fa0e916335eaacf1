-- What pgbench and COPY choose from: the users, and what the requests say. Bodies are inserted by the harness, then users.
CREATE TABLE bench_bodies (
    n             integer PRIMARY KEY,
    prompt        text    NOT NULL,
    response      text    NOT NULL,
    session_id    text,
    model         text    NOT NULL,
    category      text    NOT NULL,
    tokens_input  bigint  NOT NULL,
    tokens_output bigint  NOT NULL,
    took          bigint  NOT NULL,
    reserved      bigint  NOT NULL,
    rates         jsonb,
    tokens_used   bigint  GENERATED ALWAYS AS (tokens_input + tokens_output) STORED,
    cost_nanos    bigint  GENERATED ALWAYS AS (coalesce(tk_cost(rates, tokens_input, tokens_output, 0, 0, 0), 0)) STORED
);
CREATE TABLE bench_users (
    n          integer PRIMARY KEY,
    user_id    uuid    NOT NULL,
    first_body integer NOT NULL,
    bodies     integer NOT NULL
);
GRANT SELECT ON bench_bodies, bench_users TO tollkeeper_service;
