-- What `tollkeeper doctor` asks. Nothing here changes anything.

-- name: database_instant$
-- What time the database has: the instant that decides.
SELECT tk_now();

-- name: is_begun$
-- Whether anything of ours was ever applied to this database.
SELECT to_regclass('public.schema_migrations') IS NOT NULL;

-- name: scripts_applied
-- Which migrations and routines this database has.
SELECT s.name, s.kind, s.checksum
  FROM schema_migrations AS s;

-- name: role_rights^
-- What the role that serves may do beyond serving.
SELECT r.rolname AS role,
       r.rolsuper OR r.rolcreaterole OR r.rolcreatedb AS may_rule,
       has_schema_privilege('public', 'CREATE') AS may_create,
       EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relowner = r.oid) AS owns
  FROM pg_roles AS r
 WHERE r.rolname = current_user;

-- name: months_without_partition
-- Which of this month and the next lacks the partition for its requests.
SELECT to_char(m.month, 'YYYY-MM') AS month
  FROM generate_series(date_trunc('month', tk_now() AT TIME ZONE 'UTC'),
                       date_trunc('month', tk_now() AT TIME ZONE 'UTC') + interval '1 month', interval '1 month') AS m (month)
 WHERE to_regclass('chat_requests' || to_char(m.month, '_YYYY_MM')) IS NULL;
