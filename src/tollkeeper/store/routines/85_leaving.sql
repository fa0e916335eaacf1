-- Leaving: a user is deleted, and the sums over all users stay right at every instant.
--
-- It goes in many short transactions. The first (tk_begin_leaving) takes the address and every way in: from then on
-- nobody is that user, and who names the address later is somebody new. Then requests go in sets (tk_leave); what each
-- set had added to overall_rollups is kept in left_rollups, as nobody's. The last (tk_end_leaving) takes the rest.
-- Whoever is interrupted begins anew, and verify leaves out the derived numbers of those who are on their way out.

CREATE OR REPLACE FUNCTION tk_is_last_operator(p_user uuid) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    -- Whether nobody could run the service without this user. In one order and until the commit, so that of two who
    -- leave, or switch each other off, at once one finds the other gone. Whoever asks holds the lock of this user.
    PERFORM FROM accounts AS a WHERE a.id = p_user AND a.role = 'admin';
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM FROM accounts AS a WHERE a.role = 'admin' ORDER BY a.id FOR NO KEY UPDATE;
    PERFORM FROM accounts AS a JOIN usage AS u ON u.user_id = a.id WHERE a.role = 'admin' AND a.id <> p_user AND u.is_active;
    RETURN NOT FOUND;
END
    $$;

CREATE OR REPLACE FUNCTION tk_begin_leaving(p_user uuid, p_may_be_last boolean) RETURNS text
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_now  timestamptz := tk_lock(ARRAY[p_user]);
BEGIN
    PERFORM FROM accounts AS a WHERE a.id = p_user;
    IF NOT FOUND THEN
        RETURN 'unknown-user';
    END IF;
    -- Who signs in holds what they do it by, and takes the account next: so here too.
    PERFORM FROM sign_in_links AS l WHERE l.user_id = p_user FOR UPDATE;
    PERFORM FROM sign_in_asks AS k JOIN user_identities AS i ON lower(k.address) = i.value
      WHERE i.user_id = p_user AND i.kind = 'email' FOR UPDATE OF k;
    PERFORM FROM passkeys AS p WHERE p.user_id = p_user FOR UPDATE;
    IF NOT p_may_be_last AND tk_is_last_operator(p_user) THEN
        RETURN 'last-operator';
    END IF;
    UPDATE accounts
       SET leaving_since = coalesce(leaving_since, v_now), name = NULL, image = NULL, note = NULL, role = 'user', updated_at = v_now
     WHERE id = p_user;
    UPDATE usage SET is_active = false, version = version + 1 WHERE user_id = p_user AND is_active;
    -- What somebody asked for or was invited to by this address tells of it as well.
    DELETE FROM sign_in_asks AS k USING user_identities AS i
     WHERE i.user_id = p_user AND i.kind = 'email' AND lower(k.address) = i.value;
    DELETE FROM invitations AS v USING user_identities AS i
     WHERE i.user_id = p_user AND i.kind = 'email' AND lower(v.address) = i.value;
    DELETE FROM user_identities WHERE user_id = p_user;
    DELETE FROM passkeys WHERE user_id = p_user;
    DELETE FROM sign_in_links WHERE user_id = p_user;
    DELETE FROM sessions WHERE user_id = p_user;
    DELETE FROM api_keys WHERE user_id = p_user;
    DELETE FROM variables WHERE user_id = p_user;
    DELETE FROM preferences WHERE user_id = p_user;
    DELETE FROM stripe_customers WHERE user_id = p_user;
    RETURN 'begun';
END
    $$;

CREATE OR REPLACE FUNCTION tk_leave(p_user uuid, p_most integer) RETURNS integer
    LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    AS $$
DECLARE
    v_ids  uuid[];
    v_gone integer;
BEGIN
    PERFORM tk_lock(ARRAY[p_user]);
    PERFORM FROM accounts AS a WHERE a.id = p_user AND a.leaving_since IS NOT NULL;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    v_ids := ARRAY(SELECT r.id FROM chat_requests AS r WHERE r.user_id = p_user ORDER BY r.id LIMIT p_most);
    IF cardinality(v_ids) > 0 THEN
        PERFORM tk_keep_as_nobodys(p_user, v_ids);
        DELETE FROM request_analytics AS a WHERE a.user_id = p_user AND a.id = ANY (v_ids);
        DELETE FROM chat_requests AS r WHERE r.user_id = p_user AND r.id = ANY (v_ids);
        RETURN cardinality(v_ids);
    END IF;
    DELETE FROM request_keys AS k
     WHERE k.user_id = p_user AND k.ctid = ANY (ARRAY(SELECT g.ctid FROM request_keys AS g WHERE g.user_id = p_user LIMIT p_most));
    GET DIAGNOSTICS v_gone = ROW_COUNT;
    RETURN v_gone;
END
    $$;

CREATE OR REPLACE FUNCTION tk_keep_as_nobodys(p_user uuid, p_ids uuid[]) RETURNS void
    LANGUAGE sql VOLATILE
    AS $$
    -- What ended; a pending request is in no sum yet. In one order, as others may leave at the same time.
    INSERT INTO left_rollups AS l (
               hour_at, plan_name, model, category, request_type,
               completed, failed, tokens_used, tokens_input, tokens_output, tokens_cached, tokens_cache_write,
               tokens_reasoning, cost_nanos, unpriced, timed, duration_ms, rated, rating, latencies)
    SELECT date_trunc('hour', f.started_at, 'UTC'), f.plan_name, f.model, f.category, f.request_type,
           sum(f.completed), sum(f.failed), sum(f.tokens_used), sum(f.tokens_input), sum(f.tokens_output),
           sum(f.tokens_cached), sum(f.tokens_cache_write), sum(f.tokens_reasoning), sum(f.cost_nanos), sum(f.unpriced),
           sum(f.timed), sum(f.duration_ms), sum(f.rated), sum(f.rating),
           tk_latencies(array_agg(tk_latency_bucket(f.duration_ms)) FILTER (WHERE f.timed = 1))
      FROM request_facts AS f
     WHERE f.user_id = p_user AND f.id = ANY (p_ids) AND NOT f.is_closing AND f.status <> 'pending'
     GROUP BY 1, 2, 3, 4, 5
     ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (hour_at, plan_name, model, category, request_type) DO UPDATE
       SET completed          = l.completed + excluded.completed,
           failed             = l.failed + excluded.failed,
           tokens_used        = l.tokens_used + excluded.tokens_used,
           tokens_input       = l.tokens_input + excluded.tokens_input,
           tokens_output      = l.tokens_output + excluded.tokens_output,
           tokens_cached      = l.tokens_cached + excluded.tokens_cached,
           tokens_cache_write = l.tokens_cache_write + excluded.tokens_cache_write,
           tokens_reasoning   = l.tokens_reasoning + excluded.tokens_reasoning,
           cost_nanos         = l.cost_nanos + excluded.cost_nanos,
           unpriced           = l.unpriced + excluded.unpriced,
           timed              = l.timed + excluded.timed,
           duration_ms        = l.duration_ms + excluded.duration_ms,
           rated              = l.rated + excluded.rated,
           rating             = l.rating + excluded.rating,
           latencies          = tk_latencies_sum(l.latencies, excluded.latencies)
    $$;

CREATE OR REPLACE FUNCTION tk_end_leaving(p_user uuid) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM tk_lock(ARRAY[p_user]);
    PERFORM FROM accounts AS a WHERE a.id = p_user AND a.leaving_since IS NOT NULL;
    IF NOT FOUND THEN
        RETURN true;
    END IF;
    PERFORM FROM chat_requests AS r WHERE r.user_id = p_user;
    IF FOUND THEN
        RETURN false;
    END IF;
    -- What has been taken out with its month and is not sealed yet.
    PERFORM FROM closing_requests AS r WHERE r.user_id = p_user;
    IF FOUND THEN
        PERFORM tk_one_at_a_time();
        DELETE FROM closing_analytics AS a WHERE a.user_id = p_user;
        DELETE FROM closing_requests AS r WHERE r.user_id = p_user;
    END IF;
    DELETE FROM accounts WHERE id = p_user;
    PERFORM tk_forget_activity(p_user);
    RETURN true;
END
    $$;

CREATE OR REPLACE FUNCTION tk_forget_activity(p_user uuid) RETURNS void
    LANGUAGE plpgsql
    -- As the owner, for the service may only add to the log. It works on those alone who are gone, so that nobody can
    -- make it forget anybody who is there.
    SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
BEGIN
    PERFORM FROM accounts AS a WHERE a.id = p_user;
    IF FOUND THEN
        RAISE EXCEPTION 'what was noted of somebody who is there stays' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    -- What was done and when stays, and by which ids; not what it was about and not from where.
    UPDATE activity AS a SET detail = '{}' WHERE a.user_id = p_user AND a.detail <> '{}';
    UPDATE activity AS a
       SET ip_address = NULL, user_agent = NULL
     WHERE a.user_id = p_user AND (a.actor LIKE 'key:%' OR a.actor LIKE p_user::text || '%')
       AND num_nonnulls(a.ip_address, a.user_agent) > 0;
    -- As an operator they may have acted on others.
    UPDATE activity AS a
       SET ip_address = NULL, user_agent = NULL
     WHERE a.actor COLLATE "C" >= p_user::text AND a.actor COLLATE "C" < p_user::text || '~'
       AND a.user_id <> p_user AND num_nonnulls(a.ip_address, a.user_agent) > 0;
END
    $$;

CREATE OR REPLACE FUNCTION tk_fold_names(p_models text[], p_categories text[], p_types text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_from timestamptz := (SELECT k.rows_from FROM provable AS k);
BEGIN
    -- Names that only somebody who left had used tell of them: their sums go to those without a name. Where others have
    -- come to use such a name, it stays.
    PERFORM FROM overall_rollups AS o
      WHERE o.model = ANY (p_models) OR o.category = ANY (p_categories) OR o.request_type = ANY (p_types)
      ORDER BY o.hour_at, o.plan_name, o.model, o.category, o.request_type, o.slot
        FOR UPDATE;
    WITH theirs AS MATERIALIZED (
        SELECT o.hour_at, o.plan_name, o.model, o.category, o.request_type
          FROM overall_rollups AS o
         WHERE o.model = ANY (p_models) OR o.category = ANY (p_categories) OR o.request_type = ANY (p_types)
         GROUP BY 1, 2, 3, 4, 5
        HAVING o.hour_at < v_from
            OR sum(o.completed + o.failed) = (SELECT l.completed + l.failed FROM left_rollups AS l
                                               WHERE l.hour_at = o.hour_at AND l.plan_name = o.plan_name AND l.model = o.model
                                                 AND l.category = o.category AND l.request_type = o.request_type)
    ), kept AS (
        DELETE FROM left_rollups AS l USING theirs AS t
         WHERE l.hour_at = t.hour_at AND l.plan_name = t.plan_name AND l.model = t.model AND l.category = t.category
           AND l.request_type = t.request_type
        RETURNING l.*
    ), kept_elsewhere AS (
        INSERT INTO left_rollups AS l
        SELECT k.hour_at, k.plan_name, CASE WHEN k.model = ANY (p_models) THEN '' ELSE k.model END,
               CASE WHEN k.category = ANY (p_categories) THEN '' ELSE k.category END,
               CASE WHEN k.request_type = ANY (p_types) THEN 'other' ELSE k.request_type END,
               sum(k.completed), sum(k.failed), sum(k.tokens_used), sum(k.tokens_input), sum(k.tokens_output),
               sum(k.tokens_cached), sum(k.tokens_cache_write), sum(k.tokens_reasoning), sum(k.cost_nanos), sum(k.unpriced),
               sum(k.timed), sum(k.duration_ms), sum(k.rated), sum(k.rating), tk_latencies_total(k.latencies)
          FROM kept AS k
         GROUP BY 1, 2, 3, 4, 5
         ORDER BY 1, 2, 3, 4, 5
            ON CONFLICT (hour_at, plan_name, model, category, request_type) DO UPDATE
           SET completed          = l.completed + excluded.completed,
               failed             = l.failed + excluded.failed,
               tokens_used        = l.tokens_used + excluded.tokens_used,
               tokens_input       = l.tokens_input + excluded.tokens_input,
               tokens_output      = l.tokens_output + excluded.tokens_output,
               tokens_cached      = l.tokens_cached + excluded.tokens_cached,
               tokens_cache_write = l.tokens_cache_write + excluded.tokens_cache_write,
               tokens_reasoning   = l.tokens_reasoning + excluded.tokens_reasoning,
               cost_nanos         = l.cost_nanos + excluded.cost_nanos,
               unpriced           = l.unpriced + excluded.unpriced,
               timed              = l.timed + excluded.timed,
               duration_ms        = l.duration_ms + excluded.duration_ms,
               rated              = l.rated + excluded.rated,
               rating             = l.rating + excluded.rating,
               latencies          = tk_latencies_sum(l.latencies, excluded.latencies)
    ), gone AS (
        DELETE FROM overall_rollups AS o USING theirs AS t
         WHERE o.hour_at = t.hour_at AND o.plan_name = t.plan_name AND o.model = t.model AND o.category = t.category
           AND o.request_type = t.request_type
        RETURNING o.*
    )
    INSERT INTO overall_rollups AS r (
               hour_at, plan_name, model, category, request_type, slot,
               completed, failed, tokens_used, tokens_input, tokens_output, tokens_cached, tokens_cache_write,
               tokens_reasoning, cost_nanos, unpriced, timed, duration_ms, rated, rating, latencies)
    SELECT g.hour_at, g.plan_name, CASE WHEN g.model = ANY (p_models) THEN '' ELSE g.model END,
           CASE WHEN g.category = ANY (p_categories) THEN '' ELSE g.category END,
           CASE WHEN g.request_type = ANY (p_types) THEN 'other' ELSE g.request_type END, (pg_backend_pid() % 64)::smallint,
           sum(g.completed), sum(g.failed), sum(g.tokens_used), sum(g.tokens_input), sum(g.tokens_output),
           sum(g.tokens_cached), sum(g.tokens_cache_write), sum(g.tokens_reasoning), sum(g.cost_nanos), sum(g.unpriced),
           sum(g.timed), sum(g.duration_ms), sum(g.rated), sum(g.rating), tk_latencies_total(g.latencies)
      FROM gone AS g
     GROUP BY 1, 2, 3, 4, 5, 6
     ORDER BY 1, 2, 3, 4, 5, 6
        ON CONFLICT (hour_at, plan_name, model, category, request_type, slot) DO UPDATE
       SET completed          = r.completed + excluded.completed,
           failed             = r.failed + excluded.failed,
           tokens_used        = r.tokens_used + excluded.tokens_used,
           tokens_input       = r.tokens_input + excluded.tokens_input,
           tokens_output      = r.tokens_output + excluded.tokens_output,
           tokens_cached      = r.tokens_cached + excluded.tokens_cached,
           tokens_cache_write = r.tokens_cache_write + excluded.tokens_cache_write,
           tokens_reasoning   = r.tokens_reasoning + excluded.tokens_reasoning,
           cost_nanos         = r.cost_nanos + excluded.cost_nanos,
           unpriced           = r.unpriced + excluded.unpriced,
           timed              = r.timed + excluded.timed,
           duration_ms        = r.duration_ms + excluded.duration_ms,
           rated              = r.rated + excluded.rated,
           rating             = r.rating + excluded.rating,
           latencies          = tk_latencies_sum(r.latencies, excluded.latencies);
END
    $$;
