-- Retention: whole months of rows and, earlier, old texts go; no total changes.
--
-- A month goes in two transactions. The first (tk_close_month) takes its partitions out of the ledger and makes them
-- children of closing_requests and closing_analytics: it holds everybody up, and takes milliseconds. The second (tk_seal)
-- sums rows that nobody can change any more and drops them: it holds nobody up, and takes as long as it takes. After
-- either the numbers can be proved (tk_differences), so whoever is interrupted begins anew.

CREATE OR REPLACE FUNCTION tk_ensure_partitions(p_from timestamptz, p_to timestamptz) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_month timestamp := date_trunc('month', p_from AT TIME ZONE 'UTC');
    v_made  integer := 0;
    v_first uuid;
    v_end   uuid;
    v_name  text;
    v_table text;
    v_rows  boolean;
BEGIN
    WHILE v_month AT TIME ZONE 'UTC' <= p_to LOOP
        v_first := tk_first_uuid7(v_month AT TIME ZONE 'UTC');
        v_end := tk_first_uuid7((v_month + interval '1 month') AT TIME ZONE 'UTC');
        v_name := to_char(v_month, '_YYYY_MM');
        SELECT EXISTS (SELECT FROM chat_requests_default WHERE id >= v_first AND id < v_end) INTO v_rows;
        -- Rows that fell into the default partition stay there: it is a partition as good as any.
        IF to_regclass('chat_requests' || v_name) IS NULL AND NOT v_rows THEN
            FOREACH v_table IN ARRAY ARRAY['chat_requests', 'request_analytics'] LOOP
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                               v_table || v_name, v_table, v_first, v_end);
            END LOOP;
            -- Month to month, so that a month can go without a look at the others.
            EXECUTE format('ALTER TABLE %I ADD FOREIGN KEY (user_id, request_id) REFERENCES %I (user_id, id)',
                           'request_analytics' || v_name, 'chat_requests' || v_name);
            PERFORM tk_refuse_texts('chat_requests' || v_name, r.texts_refused_from) FROM retention AS r
              WHERE v_month AT TIME ZONE 'UTC' < r.texts_refused_from;
            PERFORM tk_refuse_texts_of_plans('chat_requests' || v_name, t.latest)
               FROM (SELECT max(p.texts_refused_from) AS latest FROM plan_texts AS p) AS t
              WHERE v_month AT TIME ZONE 'UTC' < t.latest;
            v_made := v_made + 1;
        END IF;
        v_month := v_month + interval '1 month';
    END LOOP;
    RETURN v_made;
END
    $$;

CREATE OR REPLACE VIEW request_months AS
SELECT c.oid::regclass AS partition, c.relname::text AS name, to_char(m.month, 'YYYY-MM') AS month,
       m.month AT TIME ZONE 'UTC' AS starts_at, (m.month + interval '1 month') AT TIME ZONE 'UTC' AS ends_at,
       pg_total_relation_size(c.oid)
       + coalesce(pg_total_relation_size(to_regclass(replace(c.relname, 'chat_requests', 'request_analytics'))), 0) AS bytes
  FROM pg_inherits AS i
  JOIN pg_class AS c ON c.oid = i.inhrelid
  CROSS JOIN LATERAL (SELECT CASE WHEN c.relname ~ '_\d{4}_\d\d$' THEN to_date(right(c.relname, 7), 'YYYY_MM')::timestamp END AS month) AS m
 WHERE i.inhparent = 'chat_requests'::regclass AND m.month IS NOT NULL;
COMMENT ON VIEW request_months IS 'The monthly partitions of chat_requests.';

CREATE OR REPLACE FUNCTION tk_one_at_a_time() RETURNS void
    LANGUAGE sql
    -- "prunings" in ASCII. Every step of a pruning holds it, of however many that prune at once.
    AS $$ SELECT pg_advisory_xact_lock(x'7072756e696e6773'::bigint) $$;

CREATE OR REPLACE FUNCTION tk_latest_rows_from() RETURNS timestamptz
    LANGUAGE sql
    -- This month and the one before are never pruned: every window that runs began after that, in whatever zone.
    AS $$ SELECT (date_trunc('month', tk_now() AT TIME ZONE 'UTC') - interval '1 month') AT TIME ZONE 'UTC' $$;

CREATE OR REPLACE FUNCTION tk_close_month(p_month timestamptz) RETURNS text
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_requests  text;
    v_analytics text;
    v_end       timestamptz;
    v_pending   boolean;
BEGIN
    PERFORM tk_one_at_a_time();
    -- Requests before analytics, as everybody locks them: whoever waits here keeps nobody from what we wait for.
    LOCK TABLE ONLY chat_requests IN ACCESS EXCLUSIVE MODE;
    SELECT m.name, replace(m.name, 'chat_requests', 'request_analytics'), m.ends_at
      INTO v_requests, v_analytics, v_end
      FROM request_months AS m WHERE m.starts_at = p_month;
    IF NOT FOUND THEN
        RETURN 'gone';
    END IF;
    IF v_end > tk_latest_rows_from() THEN
        RAISE EXCEPTION 'the month % is too young to be pruned', p_month USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE status = %L)', v_requests, 'pending') INTO v_pending;
    IF v_pending THEN
        RETURN 'pending';
    END IF;
    EXECUTE format('ALTER TABLE request_analytics DETACH PARTITION %I', v_analytics);
    EXECUTE format('ALTER TABLE chat_requests DETACH PARTITION %I', v_requests);
    EXECUTE format('ALTER TABLE %I INHERIT closing_analytics', v_analytics);
    EXECUTE format('ALTER TABLE %I INHERIT closing_requests', v_requests);
    UPDATE retention SET rows_from = greatest(rows_from, v_end), updated_at = tk_now();
    RETURN 'closed';
END
    $$;

CREATE OR REPLACE FUNCTION tk_close_strays(p_before timestamptz, p_most integer) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_ids   uuid[];
    v_users uuid[];
BEGIN
    PERFORM tk_one_at_a_time();
    IF p_before > tk_latest_rows_from() THEN
        RAISE EXCEPTION 'what began after % is too young to be pruned', tk_latest_rows_from()
              USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT array_agg(s.id), array_agg(DISTINCT s.user_id) INTO v_ids, v_users
      FROM (SELECT r.user_id, r.id FROM chat_requests_default AS r
             WHERE r.id < tk_first_uuid7(p_before) AND r.status <> 'pending'
             LIMIT p_most) AS s;
    IF v_ids IS NULL THEN
        RETURN 0;
    END IF;
    -- Their users' lock, as for every change: nobody rates what goes.
    PERFORM tk_lock(v_users);
    UPDATE retention SET rows_from = greatest(rows_from, p_before), updated_at = tk_now();
    WITH gone AS (
        DELETE FROM request_analytics_default AS a WHERE a.user_id = ANY (v_users) AND a.id = ANY (v_ids) RETURNING a.*
    )
    INSERT INTO closing_analytics (id, user_id, tokens_input, tokens_output, tokens_cached, tokens_cache_write,
                                   tokens_reasoning, user_rating)
    SELECT g.id, g.user_id, g.tokens_input, g.tokens_output, g.tokens_cached, g.tokens_cache_write,
           g.tokens_reasoning, g.user_rating
      FROM gone AS g;
    WITH gone AS (
        DELETE FROM chat_requests_default AS r WHERE r.user_id = ANY (v_users) AND r.id = ANY (v_ids) RETURNING r.*
    )
    INSERT INTO closing_requests (id, user_id, session_id, model, request_type, category, complexity, status, refunded,
                                  tokens_used, cost_nanos, cost_source, duration, reserved_tokens, reserved_nanos,
                                  plan_name, started_on, started_at, expires_at)
    SELECT g.id, g.user_id, g.session_id, g.model, g.request_type, g.category, g.complexity, g.status, g.refunded,
           g.tokens_used, g.cost_nanos, g.cost_source, g.duration, g.reserved_tokens, g.reserved_nanos,
           g.plan_name, g.started_on, g.started_at, g.expires_at
      FROM gone AS g;
    RETURN cardinality(v_ids);
END
    $$;

CREATE OR REPLACE FUNCTION tk_seal() RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_rows bigint;
    v_day  timestamp;
BEGIN
    PERFORM tk_one_at_a_time();
    SELECT count(*) INTO v_rows FROM closing_requests;
    IF v_rows = 0 AND tk_closed_tables() IS NULL THEN
        RETURN 0;
    END IF;
    SELECT d.day_from INTO v_day FROM provable AS d;

    INSERT INTO sealed_rollups AS s (
               user_id, period, period_start, model, category, request_type, complexity,
               completed, failed, tokens_used, tokens_input, tokens_output, tokens_cached, tokens_cache_write,
               tokens_reasoning, cost_nanos, unpriced, timed, duration_ms, rated, rating, latencies)
    SELECT f.user_id, p.period, p.period_start, f.model, f.category, f.request_type, f.complexity,
           sum(f.completed), sum(f.failed), sum(f.tokens_used), sum(f.tokens_input), sum(f.tokens_output),
           sum(f.tokens_cached), sum(f.tokens_cache_write), sum(f.tokens_reasoning), sum(f.cost_nanos), sum(f.unpriced),
           sum(f.timed), sum(f.duration_ms), sum(f.rated), sum(f.rating),
           tk_latencies(array_agg(tk_latency_bucket(f.duration_ms)) FILTER (WHERE f.timed = 1))
      FROM request_facts AS f
      CROSS JOIN LATERAL (VALUES ('all', timestamp '-infinity'), ('day', f.started_on::timestamp)) AS p (period, period_start)
     WHERE f.is_closing AND (p.period = 'all' OR p.period_start >= v_day)
     GROUP BY 1, 2, 3, 4, 5, 6, 7
        ON CONFLICT (user_id, period, period_start, model, category, request_type, complexity) DO UPDATE
       SET completed          = s.completed + excluded.completed,
           failed             = s.failed + excluded.failed,
           tokens_used        = s.tokens_used + excluded.tokens_used,
           tokens_input       = s.tokens_input + excluded.tokens_input,
           tokens_output      = s.tokens_output + excluded.tokens_output,
           tokens_cached      = s.tokens_cached + excluded.tokens_cached,
           tokens_cache_write = s.tokens_cache_write + excluded.tokens_cache_write,
           tokens_reasoning   = s.tokens_reasoning + excluded.tokens_reasoning,
           cost_nanos         = s.cost_nanos + excluded.cost_nanos,
           unpriced           = s.unpriced + excluded.unpriced,
           timed              = s.timed + excluded.timed,
           duration_ms        = s.duration_ms + excluded.duration_ms,
           rated              = s.rated + excluded.rated,
           rating             = s.rating + excluded.rating,
           latencies          = tk_latencies_sum(s.latencies, excluded.latencies);
    -- Days that no longer lie across the boundary stand as the record.
    DELETE FROM sealed_rollups AS s WHERE s.period = 'day' AND s.period_start < v_day;

    INSERT INTO sealed_sessions AS s (user_id, session_id, completed, failed, tokens_used, cost_nanos, unpriced)
    SELECT f.user_id, f.session_id, sum(f.completed), sum(f.failed), sum(f.tokens_used), sum(f.cost_nanos), sum(f.unpriced)
      FROM request_facts AS f
     WHERE f.is_closing AND f.session_id IS NOT NULL
     GROUP BY 1, 2
        ON CONFLICT (user_id, session_id) DO UPDATE
       SET completed   = s.completed + excluded.completed,
           failed      = s.failed + excluded.failed,
           tokens_used = s.tokens_used + excluded.tokens_used,
           cost_nanos  = s.cost_nanos + excluded.cost_nanos,
           unpriced    = s.unpriced + excluded.unpriced;

    DELETE FROM ONLY closing_analytics;
    DELETE FROM ONLY closing_requests;
    PERFORM tk_drop_closed();
    RETURN v_rows;
END
    $$;

CREATE OR REPLACE FUNCTION tk_closed_tables() RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT string_agg(i.inhrelid::regclass::text, ', ')
      FROM pg_inherits AS i
     WHERE i.inhparent IN ('closing_requests'::regclass, 'closing_analytics'::regclass)
    $$;

CREATE OR REPLACE FUNCTION tk_drop_closed() RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_tables text := tk_closed_tables();
    v_tries  integer := 0;
BEGIN
    WHILE v_tables IS NOT NULL LOOP
        BEGIN
            EXECUTE 'DROP TABLE ' || v_tables;
            v_tables := NULL;
        EXCEPTION WHEN lock_not_available THEN
            -- Somebody is proving numbers, with these rows. Others shall not wait behind us: let them pass.
            v_tries := v_tries + 1;
            IF v_tries = 100 THEN
                RAISE;
            END IF;
            PERFORM pg_sleep(0.3);
        END;
    END LOOP;
END
    $$;

CREATE OR REPLACE FUNCTION tk_keep_no_text() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.prompt := NULL;
    NEW.response := NULL;
    NEW.error_message := NULL;
    NEW.metadata := NULL;
    NEW.ip_address := NULL;
    NEW.user_agent := NULL;
    NEW.response_hash := NULL;
    RETURN NEW;
END
    $$;

CREATE OR REPLACE FUNCTION tk_keep_no_text_of_plan() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (SELECT FROM plan_texts AS t
                WHERE t.plan_name = NEW.plan_name AND NEW.id < tk_first_uuid7(t.texts_refused_from)) THEN
        NEW.prompt := NULL;
        NEW.response := NULL;
        NEW.error_message := NULL;
        NEW.metadata := NULL;
        NEW.ip_address := NULL;
        NEW.user_agent := NULL;
        NEW.response_hash := NULL;
    END IF;
    RETURN NEW;
END
    $$;

CREATE OR REPLACE FUNCTION tk_refuse_texts(p_table text, p_before timestamptz) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    -- On partitions with requests that old alone: what is written now meets no trigger. Whoever writes there has ended
    -- when the lock is ours, and whoever comes later meets it: so nothing slips past the clearing.
    EXECUTE format('CREATE OR REPLACE TRIGGER keep_no_text BEFORE INSERT OR UPDATE ON %I FOR EACH ROW '
                   'WHEN (NEW.id < %L) EXECUTE FUNCTION tk_keep_no_text()', p_table, tk_first_uuid7(p_before));
END
    $$;

CREATE OR REPLACE FUNCTION tk_refuse_texts_of_plans(p_table text, p_before timestamptz) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    -- The same for requests under plans that keep texts for less long; each plan's own instant stands in plan_texts.
    EXECUTE format('CREATE OR REPLACE TRIGGER keep_no_text_of_plan BEFORE INSERT OR UPDATE ON %I FOR EACH ROW '
                   'WHEN (NEW.id < %L) EXECUTE FUNCTION tk_keep_no_text_of_plan()', p_table, tk_first_uuid7(p_before));
END
    $$;

CREATE OR REPLACE FUNCTION tk_begin_clearing(p_before timestamptz) RETURNS TABLE (partition text, blocks bigint, before timestamptz)
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
    v_since  timestamptz;
    v_before timestamptz;
    v_name   text;
BEGIN
    PERFORM tk_one_at_a_time();
    IF p_before > tk_now() THEN
        RAISE EXCEPTION 'texts of the future cannot be pruned' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    -- As store.partitions: a month that is made meanwhile would miss it.
    PERFORM pg_advisory_xact_lock(x'706172746974696F'::bigint);
    SELECT coalesce(r.texts_from, '-infinity'), greatest(r.texts_refused_from, p_before) INTO v_since, v_before FROM retention AS r;
    IF v_before <= v_since THEN
        RETURN;
    END IF;
    UPDATE retention SET texts_refused_from = v_before, updated_at = tk_now();
    FOR v_name IN SELECT m.name FROM request_months AS m WHERE m.ends_at > v_since AND m.starts_at < v_before
                   UNION ALL SELECT 'chat_requests_default' ORDER BY 1 LOOP
        PERFORM tk_refuse_texts(v_name, v_before);
        partition := v_name;
        before := v_before;
        blocks := pg_relation_size(v_name::regclass) / current_setting('block_size')::bigint;
        RETURN NEXT;
    END LOOP;
END
    $$;

CREATE OR REPLACE FUNCTION tk_begin_clearing_of(p_plan text, p_before timestamptz)
    RETURNS TABLE (partition text, blocks bigint, before timestamptz)
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
    v_since  timestamptz;
    v_before timestamptz;
    v_latest timestamptz;
    v_name   text;
BEGIN
    -- As tk_begin_clearing, of requests under one plan.
    PERFORM tk_one_at_a_time();
    IF p_before > tk_now() THEN
        RAISE EXCEPTION 'texts of the future cannot be pruned' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    PERFORM pg_advisory_xact_lock(x'706172746974696F'::bigint);
    SELECT coalesce(max(t.texts_from), '-infinity'), greatest(max(t.texts_refused_from), p_before) INTO v_since, v_before
      FROM plan_texts AS t WHERE t.plan_name = p_plan;
    IF v_before <= v_since THEN
        RETURN;
    END IF;
    INSERT INTO plan_texts AS t (plan_name, texts_refused_from) VALUES (p_plan, v_before)
        ON CONFLICT (plan_name) DO UPDATE SET texts_refused_from = excluded.texts_refused_from, updated_at = tk_now();
    -- For the stamps of dashboards alone, which show none of these texts from now on.
    UPDATE retention SET updated_at = tk_now();
    SELECT max(t.texts_refused_from) INTO v_latest FROM plan_texts AS t;
    FOR v_name IN SELECT m.name FROM request_months AS m WHERE m.ends_at > v_since AND m.starts_at < v_before
                   UNION ALL SELECT 'chat_requests_default' ORDER BY 1 LOOP
        PERFORM tk_refuse_texts_of_plans(v_name, v_latest);
        partition := v_name;
        before := v_before;
        blocks := pg_relation_size(v_name::regclass) / current_setting('block_size')::bigint;
        RETURN NEXT;
    END LOOP;
END
    $$;

-- As it was called before: with another parameter it is another function.
DROP FUNCTION IF EXISTS tk_clear_texts(text, bigint, bigint);

CREATE OR REPLACE FUNCTION tk_clear_texts(p_table text, p_from_block bigint, p_to_block bigint, p_plan text)
    RETURNS TABLE (cleared bigint, is_done boolean)
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_due text;
BEGIN
    PERFORM tk_one_at_a_time();
    cleared := 0;
    is_done := true;
    IF to_regclass(p_table) IS NULL THEN
        RETURN NEXT;    -- its rows are gone altogether
        RETURN;
    END IF;
    SELECT format('SELECT q.ctid FROM ONLY %I AS q WHERE q.ctid >= %L AND q.ctid < %L AND q.id < %L '
                  'AND num_nonnulls(q.prompt, q.response, q.error_message, q.metadata, q.ip_address, q.user_agent, '
                  'q.response_hash) > 0',
                  p_table, format('(%s,0)', p_from_block), format('(%s,0)', p_to_block), tk_first_uuid7(b.before))
           || CASE WHEN p_plan IS NULL THEN '' ELSE format(' AND q.plan_name = %L', p_plan) END
      INTO v_due
      FROM (SELECT r.texts_refused_from AS before FROM retention AS r WHERE p_plan IS NULL
             UNION ALL SELECT t.texts_refused_from FROM plan_texts AS t WHERE t.plan_name = p_plan) AS b;
    -- Whom others hold is passed over: nobody waits for us who holds what we wait for. They clear it themselves (the
    -- trigger), or it is found again.
    EXECUTE format('UPDATE ONLY %I AS r SET prompt = NULL, response = NULL, error_message = NULL, metadata = NULL, '
                   'ip_address = NULL, user_agent = NULL, response_hash = NULL WHERE r.ctid = ANY (ARRAY(%s FOR NO KEY UPDATE SKIP LOCKED))',
                   p_table, v_due);
    GET DIAGNOSTICS cleared = ROW_COUNT;
    EXECUTE format('SELECT NOT EXISTS (%s)', v_due) INTO is_done;
    RETURN NEXT;
END
    $$;
