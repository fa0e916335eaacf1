-- How a user wants to be shown things.

-- name: settings_of_user^
-- A user's name, address, zone (and the one that the next window is to have), and what they chose.
SELECT (SELECT a.name FROM accounts AS a WHERE a.id = u.user_id) AS name,
       (SELECT i.shown_as FROM user_identities AS i WHERE i.user_id = u.user_id AND i.kind = 'email') AS email,
       u.day_zone AS time_zone, u.next_zone AS next_time_zone,
       coalesce((SELECT p.settings FROM preferences AS p WHERE p.user_id = u.user_id), '{}') AS chosen,
       u.own_warn_at,
       (SELECT v.warn_at FROM plan_terms AS t JOIN plan_versions AS v ON v.plan_name = t.plan_name AND v.version = t.plan_version
         WHERE t.user_id = u.user_id AND t.id = u.plan_terms_id) AS plan_warn_at,
       u.due_at <= tk_now() AS is_due
  FROM usage AS u
 WHERE u.user_id = :user_id;

-- name: choose_warn_at!
-- Keep at how much of their limits a user wants to be warned; null: as their plan says. It holds once terms are in force again.
UPDATE usage AS u SET own_warn_at = :warn_at::smallint[] WHERE u.user_id = :user_id;

-- name: put_preferences!
-- Keep what is given; what is not stays as it was.
INSERT INTO preferences AS p (user_id, settings, updated_at)
VALUES (:user_id, :settings::jsonb, tk_now())
    ON CONFLICT (user_id) DO UPDATE
   SET settings = p.settings || excluded.settings, updated_at = excluded.updated_at;
