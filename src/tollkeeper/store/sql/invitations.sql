-- Invitations: addresses that may sign up, though the site is not open to everybody.

-- name: put_invitation^
-- Invite an address, or renew its invitation.
INSERT INTO invitations AS v (address, plan, invited_by, created_at, expires_at)
SELECT :address, :plan, :invited_by, n.now, n.now + :valid_for::interval
  FROM (SELECT tk_now() AS now) AS n
    ON CONFLICT (lower(address)) DO UPDATE
   SET address = excluded.address, plan = excluded.plan, invited_by = excluded.invited_by, created_at = excluded.created_at,
       expires_at = excluded.expires_at, accepted_at = NULL, withdrawn_at = NULL
RETURNING v.id, v.address, v.plan, 'open' AS status, v.created_at, v.expires_at;

-- name: invitations_page
-- Invitations, the newest first, from below an id on, and what came of each.
SELECT v.id, v.address, v.plan,
       CASE WHEN v.accepted_at IS NOT NULL THEN 'used'
            WHEN v.withdrawn_at IS NOT NULL THEN 'revoked'
            WHEN v.expires_at <= tk_now() THEN 'expired'
            ELSE 'open' END AS status,
       v.created_at, v.expires_at
  FROM invitations AS v
 WHERE v.id < coalesce(:below::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
 ORDER BY v.id DESC
 LIMIT :most;

-- name: withdraw_invitation$
-- Take an invitation back that nobody has accepted.
UPDATE invitations AS v SET withdrawn_at = tk_now()
 WHERE v.id = :id AND v.accepted_at IS NULL AND v.withdrawn_at IS NULL
RETURNING v.id;

-- name: accept_invitation^
-- Use an invitation up: whoever comes second finds it used.
UPDATE invitations AS v SET accepted_at = tk_now()
 WHERE lower(v.address) = lower(:address) AND v.expires_at > tk_now() AND v.accepted_at IS NULL AND v.withdrawn_at IS NULL
RETURNING v.id, v.plan, v.address;
