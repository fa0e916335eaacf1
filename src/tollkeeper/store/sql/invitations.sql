-- Invitations: addresses that may sign up, though the site is not open to everybody.

-- name: put_invitation^
-- Invite an address, or renew its invitation.
INSERT INTO invitations AS v (address, plan, invited_by, created_at, expires_at)
SELECT :address, :plan, :invited_by, n.now, n.now + :valid_for::interval
  FROM (SELECT tk_now() AS now) AS n
    ON CONFLICT (lower(address)) DO UPDATE
   SET address = excluded.address, plan = excluded.plan, invited_by = excluded.invited_by, created_at = excluded.created_at,
       expires_at = excluded.expires_at
RETURNING v.id, v.address, v.plan, v.created_at, v.expires_at;

-- name: invitations_page
-- Invitations that nobody has accepted, the newest first, from below an id on. An expired one stays for a while.
SELECT v.id, v.address, v.plan, v.created_at, v.expires_at, v.expires_at <= tk_now() AS is_expired
  FROM invitations AS v
 WHERE v.id < coalesce(:below::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
 ORDER BY v.id DESC
 LIMIT :most;

-- name: withdraw_invitation$
-- Take an invitation back.
DELETE FROM invitations AS v WHERE v.id = :id RETURNING v.id;

-- name: accept_invitation^
-- Use an invitation up: whoever comes second finds it gone.
DELETE FROM invitations AS v WHERE lower(v.address) = lower(:address) AND v.expires_at > tk_now() RETURNING v.id, v.plan;

-- name: is_invited$
-- Whether an address may sign up by an invitation.
SELECT EXISTS (SELECT FROM invitations AS v WHERE lower(v.address) = lower(:address) AND v.expires_at > tk_now());
