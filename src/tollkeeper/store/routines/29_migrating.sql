-- Moving users from the terms they agreed to to those that the catalogue has now.

CREATE OR REPLACE FUNCTION tk_migrate(p_users uuid[], p_from text, p_to text) RETURNS SETOF uuid
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_now timestamptz := tk_lock(p_users);
    t     plan_terms;
    v_new uuid;
BEGIN
    -- When they end, what follows and how it is paid for stays as it was arranged. Answers who was moved.
    FOR t IN SELECT k.* FROM usage AS u JOIN plan_terms AS k ON k.user_id = u.user_id AND k.id = u.plan_terms_id
               JOIN plans AS p ON p.name = p_to
              WHERE u.user_id = ANY (p_users) AND k.plan_name = p_from AND (k.plan_name, k.plan_version) <> (p.name, p.version)
              ORDER BY u.user_id LOOP
        v_new := tk_new_terms(t.user_id, p_to, 'migrated', v_now, t.given_until, t.billing_cycle, t.is_trial, t.anchored_at);
        UPDATE plan_terms AS n
           SET expires_at = t.expires_at, next_plan = t.next_plan, next_cycle = t.next_cycle
         WHERE n.user_id = t.user_id AND n.id = v_new;
        PERFORM tk_put_in_force(t.user_id, v_new, v_now);
        RETURN NEXT t.user_id;
    END LOOP;
END
    $$;
