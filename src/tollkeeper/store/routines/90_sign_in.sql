-- What bounds asking: an allowance is so many at once, and one more after each pause.

CREATE OR REPLACE FUNCTION tk_take_allowances(p_subjects bytea[], p_at_once integer[], p_pauses interval[]) RETURNS interval
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_now  timestamptz;
    v_wait interval;
BEGIN
    -- One of each subject or of none. NULL: taken; else how long to wait until there is one of each.
    -- Rows are made first and locked next, always in the same order, so that those who come at once wait in line.
    INSERT INTO allowances (subject, spent_until)
    SELECT g.subject, '-infinity' FROM unnest(p_subjects) AS g (subject) ORDER BY g.subject
        ON CONFLICT (subject) DO NOTHING;
    PERFORM FROM allowances AS a WHERE a.subject = ANY (p_subjects) ORDER BY a.subject FOR UPDATE;
    v_now := tk_now();
    -- What is spent for longer than all of it lasts was spent while the clock ran ahead: one more passes, and all is spent now.
    SELECT max(greatest(a.spent_until, v_now) - v_now - (g.at_once - 1) * g.pause)
      INTO v_wait
      FROM unnest(p_subjects, p_at_once, p_pauses) AS g (subject, at_once, pause)
      JOIN allowances AS a ON a.subject = g.subject
     WHERE a.spent_until <= v_now + g.at_once * g.pause;
    IF v_wait > interval '0' THEN
        RETURN v_wait;
    END IF;
    UPDATE allowances AS a
       SET spent_until = least(greatest(a.spent_until, v_now), v_now + (g.at_once - 1) * g.pause) + g.pause
      FROM unnest(p_subjects, p_at_once, p_pauses) AS g (subject, at_once, pause)
     WHERE a.subject = g.subject;
    RETURN NULL;
END
    $$;
