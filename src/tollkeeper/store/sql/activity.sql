-- Who did what. Rows are only ever added.

-- name: note_activity!
-- Note one act; without a user it is one on no single user.
INSERT INTO activity (user_id, actor, action, detail, ip_address, user_agent)
VALUES (coalesce(:user_id::uuid, '00000000-0000-0000-0000-000000000000'), :actor, :action, :detail::jsonb, :ip_address, :user_agent);
