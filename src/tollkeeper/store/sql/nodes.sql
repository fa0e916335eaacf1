-- The processes that serve, and how busy all of them are.

-- name: beat$
-- Say that a node lives and what it has counted since it last did; forget what is old. Answers the database's instant.
WITH here AS (
    INSERT INTO nodes AS n (id, host, pid, version, master_keys, started_at, seen_at)
    VALUES (:node_id::uuid, :host, :pid, :version, :master_keys::bytea[], tk_now(), tk_now())
        ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, master_keys = excluded.master_keys
    RETURNING n.seen_at
), counted AS (
    INSERT INTO node_seconds AS s (node_id, second_at, starts, finishes)
    SELECT :node_id, to_timestamp(c.second), c.starts, c.finishes
      FROM unnest(:seconds::bigint[], :starts::bigint[], :finishes::bigint[]) AS c (second, starts, finishes)
        ON CONFLICT (node_id, second_at) DO UPDATE
       SET starts = s.starts + excluded.starts, finishes = s.finishes + excluded.finishes
), forgotten AS (
    DELETE FROM node_seconds AS s WHERE s.node_id = :node_id AND s.second_at < tk_now() - interval '2 minutes'
), gone AS (
    -- Whoever is just saying that it lives, or is just being forgotten by another, is passed over.
    DELETE FROM nodes AS n
     WHERE n.id IN (SELECT o.id FROM nodes AS o WHERE o.seen_at < tk_now() - interval '2 minutes' AND o.id <> :node_id
                       FOR UPDATE SKIP LOCKED)
)
SELECT here.seen_at FROM here;

-- name: leave!
-- A node stops in good order.
DELETE FROM nodes AS n WHERE n.id = :node_id;

-- name: nodes
-- All that have said lately that they live, the oldest first.
SELECT n.id, n.host, n.pid, n.version, n.started_at, n.seen_at FROM nodes AS n ORDER BY n.started_at, n.id;

-- name: live_seconds
-- What all nodes admitted and settled in each of the last seconds, up to where every node has told.
SELECT s.at, coalesce(sum(c.starts), 0)::bigint AS starts, coalesce(sum(c.finishes), 0)::bigint AS finishes
  FROM (SELECT date_trunc('second', tk_now()) - make_interval(secs => :lag::int) AS until) AS u
 CROSS JOIN LATERAL (SELECT u.until - make_interval(secs => g.back) AS at FROM generate_series(1, :seconds::int) AS g (back)) AS s
  LEFT JOIN node_seconds AS c ON c.second_at = s.at
 GROUP BY s.at
 ORDER BY s.at;
