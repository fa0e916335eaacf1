-- What operators note and see: notes on users, the processes that serve, what verify found last.

ALTER TABLE accounts ADD COLUMN note text CHECK (length(note) BETWEEN 1 AND 4000);
COMMENT ON COLUMN accounts.note IS 'The operator''s own words about the user, who never sees them.';

-- Unlogged: what the nodes say every two seconds waits for no disk. After a crash of the database they say it anew.
CREATE UNLOGGED TABLE nodes (
    id         uuid        PRIMARY KEY,
    host       text        NOT NULL,
    pid        integer     NOT NULL,
    version    text        NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE nodes IS 'One row for each process that serves, as long as it says so.';

CREATE UNLOGGED TABLE node_seconds (
    node_id   uuid        NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    second_at timestamptz NOT NULL,
    starts    bigint      NOT NULL,
    finishes  bigint      NOT NULL,
    PRIMARY KEY (node_id, second_at)
);
COMMENT ON TABLE node_seconds IS 'What each node admitted and settled, second by second, for the last two minutes. It proves nothing: it shows how busy it is.';

CREATE TABLE verifications (
    id          uuid        PRIMARY KEY DEFAULT tk_uuid7(tk_now()),
    at          timestamptz NOT NULL,
    seconds     numeric     NOT NULL CHECK (seconds >= 0),
    differences bigint      NOT NULL CHECK (differences >= 0)
);
COMMENT ON TABLE verifications IS 'What `tollkeeper verify` found, of 90 days.';
