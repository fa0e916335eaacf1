-- How long rows and texts are kept; routines/80_retention.sql tells how they go. All of it is the owner's, but for retained.

-- name: retained^
-- Since when there are rows and texts (null: since the beginning), and which partitions are taken out and not yet dropped.
SELECT r.rows_from, r.texts_from,
       ARRAY(SELECT i.inhrelid::regclass::text FROM pg_inherits AS i
              WHERE i.inhparent = 'closing_requests'::regclass ORDER BY 1) AS closing
  FROM retention AS r;

-- name: boundaries^
-- Before which instants rows (whole months) and texts go, told by age in days or as instants; and what the latest may be.
SELECT date_trunc('month', coalesce(:rows_before::timestamptz, b.now - make_interval(days => :rows_days::int)), 'UTC') AS rows_before,
       date_trunc('second', coalesce(:texts_before::timestamptz,
                                     date_trunc('day', b.now - make_interval(days => :texts_days::int), 'UTC'))) AS texts_before,
       tk_latest_rows_from() AS latest_rows_before, b.now
  FROM (SELECT tk_now() AS now) AS b;

-- name: months_before
-- The partitions of months that are over before an instant, the oldest first.
SELECT m.month, m.starts_at, m.ends_at, m.bytes
  FROM request_months AS m
 WHERE m.ends_at <= :before::timestamptz
 ORDER BY m.starts_at;

-- name: rows_before
-- How many requests before an instant lie in which partition (null: the default one). Of all users: the dry run.
SELECT m.month, count(*) AS requests, count(*) FILTER (WHERE r.status = 'pending') AS pending
  FROM chat_requests AS r
  LEFT JOIN request_months AS m ON m.partition = r.tableoid
 WHERE r.id < tk_first_uuid7(:before::timestamptz)
 GROUP BY m.month
 ORDER BY m.month;

-- name: texts_before^
-- How many requests before an instant have texts, and how large those are as stored: of all users, or under one plan and
-- not before another instant. The dry run.
SELECT count(*) AS requests,
       coalesce(sum(coalesce(pg_column_size(r.prompt), 0) + coalesce(pg_column_size(r.response), 0)
                    + coalesce(pg_column_size(r.error_message), 0) + coalesce(pg_column_size(r.metadata), 0)
                    + coalesce(pg_column_size(r.ip_address), 0) + coalesce(pg_column_size(r.user_agent), 0)), 0)::bigint AS bytes
  FROM chat_requests AS r
 WHERE r.id < tk_first_uuid7(:before::timestamptz)
   AND (:plan::text IS NULL OR r.plan_name = :plan) AND (:since::timestamptz IS NULL OR r.id >= tk_first_uuid7(:since))
   AND num_nonnulls(r.prompt, r.response, r.error_message, r.metadata, r.ip_address, r.user_agent, r.response_hash) > 0;

-- name: close_month$
-- Take a month out of the ledger: closed, pending (a request of it is; nothing happened) or gone.
SELECT tk_close_month(:month::timestamptz);

-- name: close_strays$
-- Take some of what lies in the default partition and began before an instant out of the ledger; answers how many.
SELECT tk_close_strays(:before::timestamptz, :most::int);

-- name: seal$
-- Sum what was taken out and drop it; answers how many requests that were.
SELECT tk_seal();

-- name: begin_clearing
-- Take in no more texts before an instant. Answers the partitions to be cleared; none, if that was done before.
SELECT b.partition, b.blocks, b.before
  FROM tk_begin_clearing(:before::timestamptz) AS b;

-- name: begin_clearing_of_plan
-- Take in no more texts before an instant of requests under a plan. Answers the partitions to be cleared.
SELECT b.partition, b.blocks, b.before
  FROM tk_begin_clearing_of(:plan::text, :before::timestamptz) AS b;

-- name: clear_texts^
-- Clear the texts in some blocks of a partition, under one plan or all; answers how many requests had any, and whether none is left there.
SELECT c.cleared, c.is_done
  FROM tk_clear_texts(:partition::text, :from_block::bigint, :to_block::bigint, :plan::text) AS c;

-- name: plans_to_clear
-- Which plans let texts live for less long than all do, and have some that may be too old by now; and before which instant they are.
SELECT p.name AS plan, b.before
  FROM plans AS p
 CROSS JOIN LATERAL (SELECT date_trunc('day', tk_now() - make_interval(days => p.retain_text_days), 'UTC') AS before) AS b
 CROSS JOIN retention AS r
  LEFT JOIN plan_texts AS t ON t.plan_name = p.name
 WHERE b.before > coalesce(greatest(r.texts_from, t.texts_from), '-infinity')
 ORDER BY p.name;

-- name: plans_limit_texts$
-- Whether any plan says how long texts live.
SELECT EXISTS (SELECT FROM plans AS p WHERE p.retain_text_days IS NOT NULL);

-- name: texts_of_plan_cleared!
-- Note that all texts before an instant of requests under a plan are gone.
UPDATE plan_texts AS t
   SET texts_from = greatest(t.texts_from, :before::timestamptz), updated_at = tk_now()
 WHERE t.plan_name = :plan;

-- name: texts_cleared!
-- Note that all texts before an instant are gone.
UPDATE retention
   SET texts_from = greatest(texts_from, :before::timestamptz), updated_at = tk_now();
