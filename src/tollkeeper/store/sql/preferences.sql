-- How a user wants to be shown things.

-- name: settings_of_user^
-- A user's name, address, zone (and the one that the next window is to have), and what they chose.
SELECT (SELECT a.name FROM accounts AS a WHERE a.id = u.user_id) AS name,
       (SELECT i.shown_as FROM user_identities AS i WHERE i.user_id = u.user_id AND i.kind = 'email') AS email,
       u.day_zone AS time_zone, u.next_zone AS next_time_zone,
       coalesce((SELECT p.settings FROM preferences AS p WHERE p.user_id = u.user_id), '{}') AS chosen,
       u.due_at <= tk_now() AS is_due
  FROM usage AS u
 WHERE u.user_id = :user_id;

-- name: put_preferences!
-- Keep what is given; what is not stays as it was.
INSERT INTO preferences AS p (user_id, settings, updated_at)
VALUES (:user_id, :settings::jsonb, tk_now())
    ON CONFLICT (user_id) DO UPDATE
   SET settings = p.settings || excluded.settings, updated_at = excluded.updated_at;
