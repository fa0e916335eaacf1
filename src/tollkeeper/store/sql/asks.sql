-- Asking for a mail to sign in with, going to GitHub, and how often one may.

-- name: take_allowances$
-- Take one of each allowance or of none; answers how long to wait where there is none.
SELECT tk_take_allowances(:subjects::bytea[], :at_once::integer[], :pauses::interval[]);

-- name: knows_place$
-- Whether the user of an address, if there is one, has signed in from this browser or network before.
SELECT CASE WHEN bool_or(s.browser_hash = :browser_hash::bytea) THEN 'browser' WHEN bool_or(s.network = :network::text) THEN 'network' END
  FROM user_identities AS i
  JOIN sessions AS s ON s.user_id = i.user_id
 WHERE i.kind = 'email' AND i.value = lower(:address);

-- name: put_ask^
-- Keep what a browser asks for, in place of what it asked for before; answers from when to when it holds.
INSERT INTO sign_in_asks AS k (browser_hash, address, code_hash, token_hash, leads_to, created_at, expires_at)
SELECT :browser_hash, :address, :code_hash, :token_hash, :leads_to, n.now, n.now + :valid_for::interval
  FROM (SELECT tk_now() AS now) AS n
    ON CONFLICT (browser_hash) DO UPDATE
   SET address = excluded.address, code_hash = excluded.code_hash, token_hash = excluded.token_hash,
       leads_to = excluded.leads_to, wrong_codes = 0, created_at = excluded.created_at, expires_at = excluded.expires_at
RETURNING k.created_at AS asked_at, k.expires_at;

-- name: try_code^
-- Try a code, and count it if it is wrong: of many who try at once each finds what those before it left.
UPDATE sign_in_asks AS k
   SET wrong_codes = k.wrong_codes + CASE WHEN k.code_hash = :code_hash THEN 0 ELSE 1 END
 WHERE k.browser_hash = :browser_hash AND lower(k.address) = lower(:address) AND k.wrong_codes < :tries AND k.expires_at > tk_now()
RETURNING k.address, k.leads_to, k.code_hash = :code_hash AS fits, :tries - k.wrong_codes AS tries_left;

-- name: end_ask!
-- What has signed somebody in is gone.
DELETE FROM sign_in_asks AS k WHERE k.browser_hash = :browser_hash;

-- name: use_ask_link^
-- Use a link up in the browser that asked for it, once.
DELETE FROM sign_in_asks AS k
 WHERE k.token_hash = :token_hash AND k.browser_hash = :browser_hash::bytea AND k.wrong_codes < :tries AND k.expires_at > tk_now()
RETURNING k.address, k.leads_to;

-- name: is_own_ask$
-- Whether a link that works was asked for by this browser; nothing if it does not work.
SELECT coalesce(k.browser_hash = :browser_hash::bytea, false)
  FROM sign_in_asks AS k
 WHERE k.token_hash = :token_hash AND k.wrong_codes < :tries AND k.expires_at > tk_now();

-- name: mail_address$
-- Where mail goes for an address that is the same but for case: as it stands in an account, or else in an invitation.
SELECT coalesce((SELECT i.shown_as FROM user_identities AS i WHERE i.kind = 'email' AND i.value = lower(:address)),
                (SELECT v.address FROM invitations AS v
                  WHERE lower(v.address) = lower(:address) AND v.expires_at > tk_now()
                    AND v.accepted_at IS NULL AND v.withdrawn_at IS NULL));

-- name: forget_asks!
-- Delete what has expired: asks by mail and to GitHub, invitations, and allowances that are whole again. Of all: the job.
WITH asks AS (
    DELETE FROM sign_in_asks AS k WHERE k.expires_at < tk_now()
), visits AS (
    DELETE FROM github_asks AS g WHERE g.expires_at < tk_now()
), invited AS (
    DELETE FROM invitations AS v
     WHERE coalesce(v.accepted_at, v.withdrawn_at, v.expires_at) < tk_now() - interval '30 days'
)
DELETE FROM allowances AS a WHERE a.spent_until < tk_now();

-- name: add_github_ask!
-- Keep that a browser went to GitHub, and what for.
INSERT INTO github_asks (state_hash, browser_hash, leads_to, user_id, expires_at)
VALUES (:state_hash, :browser_hash, :leads_to, :user_id::uuid, tk_now() + :valid_for::interval);

-- name: use_github_state^
-- Take back, once, what a browser went to GitHub for.
DELETE FROM github_asks AS g
 WHERE g.state_hash = :state_hash AND g.browser_hash = :browser_hash::bytea AND g.expires_at > tk_now()
RETURNING g.leads_to, g.user_id;

-- name: user_of_github$
-- Whose GitHub account it is, by its number.
SELECT i.user_id FROM user_identities AS i WHERE i.kind = 'github' AND i.value = :github_id;

-- name: connect_github$
-- Connect a GitHub account with a user; nothing where either has another.
INSERT INTO user_identities (kind, value, user_id, shown_as) VALUES ('github', :github_id, :user_id, :github_id)
    ON CONFLICT DO NOTHING
RETURNING user_id;

-- name: disconnect_github$
-- Let a user sign in by GitHub no more. Only who has an address, by which one can always sign in.
DELETE FROM user_identities AS i
 WHERE i.user_id = :user_id AND i.kind = 'github'
   AND EXISTS (SELECT FROM user_identities AS o WHERE o.user_id = :user_id AND o.kind = 'email')
RETURNING i.value;
