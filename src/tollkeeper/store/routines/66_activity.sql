-- What was noted, with the addresses of those who are still there.

CREATE OR REPLACE VIEW activity_shown AS
SELECT a.user_id, a.id, a.actor, a.action, a.detail, a.ip_address, a.user_agent, a.created_at,
       (SELECT i.shown_as FROM user_identities AS i WHERE i.user_id = a.user_id AND i.kind = 'email') AS email,
       (SELECT i.shown_as FROM user_identities AS i WHERE i.user_id = w.who AND i.kind = 'email') AS actor_email
  FROM activity AS a
 -- An operator who acts as a user is noted as "ID as ID".
 CROSS JOIN LATERAL (SELECT CASE WHEN a.actor ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}( as |$)'
                                 THEN left(a.actor, 36)::uuid END AS who) AS w;
