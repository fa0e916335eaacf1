-- Plans that a provider sells: the door for its changes, and what Stripe tells.

-- name: door_change^
-- What came by the door under a key.
SELECT c.body_hash, c.answer
  FROM door_changes AS c
 WHERE c.user_id = :user_id AND c.key = :key;

-- name: add_door_change!
-- Remember what came by the door, and what was answered.
INSERT INTO door_changes (user_id, key, body_hash, occurred_at, reference, is_superseded, answer, created_at)
VALUES (:user_id, :key, :body_hash, :occurred_at::timestamptz, :reference, :is_superseded, :answer, :at::timestamptz);

-- name: door_state^
-- The latest that came by the door for a user.
SELECT s.held_at, s.held_tie, s.next_at, s.next_tie, s.next_plan, s.next_cycle
  FROM door_states AS s
 WHERE s.user_id = :user_id;

-- name: put_door_state!
-- Note the latest that came by the door for a user.
INSERT INTO door_states (user_id, held_at, held_tie, next_at, next_tie, next_plan, next_cycle)
VALUES (:user_id, :held_at::timestamptz, :held_tie, :next_at::timestamptz, :next_tie, :next_plan, :next_cycle)
    ON CONFLICT (user_id) DO UPDATE
   SET held_at = excluded.held_at, held_tie = excluded.held_tie, next_at = excluded.next_at, next_tie = excluded.next_tie,
       next_plan = excluded.next_plan, next_cycle = excluded.next_cycle;

-- name: forget_door_changes!
-- Forget what came by the door more than 90 days ago; what of it was the latest stays noted. Of all users: the job.
DELETE FROM door_changes AS c WHERE c.created_at < tk_now() - interval '90 days';

-- name: user_of_customer$
-- Whose a customer of Stripe is; nothing where nobody has said so.
SELECT c.user_id FROM stripe_customers AS c WHERE c.customer_id = :customer_id;

-- name: hold_customer$
-- Know a customer of Stripe, and let nobody else hear of them until the end of the transaction; answers whose they are.
INSERT INTO stripe_customers AS c (customer_id, seen_at)
VALUES (:customer_id, tk_now())
    ON CONFLICT (customer_id) DO UPDATE SET seen_at = excluded.seen_at
RETURNING c.user_id;

-- name: user_to_sell_to$
-- Whether there is such a user, who is not about to leave.
SELECT a.id FROM accounts AS a WHERE a.id = :user_id AND a.leaving_since IS NULL;

-- name: name_customer!
-- Note whose a customer of Stripe is.
UPDATE stripe_customers AS c SET user_id = :user_id WHERE c.customer_id = :customer_id AND c.user_id IS NULL;

-- name: customer_of_user$
-- The customer that a user is at Stripe: of several one with a subscription that is running, else the one heard of last.
SELECT c.customer_id
  FROM stripe_customers AS c
 WHERE c.user_id = :user_id
 ORDER BY EXISTS (SELECT FROM stripe_subscriptions AS s
                   WHERE s.customer_id = c.customer_id AND s.has_counted AND tk_is_running(s.status)) DESC,
          c.seen_at DESC, c.customer_id DESC
 LIMIT 1;

-- name: subscriptions_of_user
-- The subscriptions of a user at Stripe, each as the latest of its events has it.
SELECT s.subscription_id, s.status, s.prices, s.ends_at, s.has_counted
  FROM stripe_customers AS c
  JOIN stripe_subscriptions AS s ON s.customer_id = c.customer_id
 WHERE c.user_id = :user_id
 ORDER BY s.subscription_id;

-- name: put_subscription!
-- Note a subscription as an event has it, unless a later one is known.
INSERT INTO stripe_subscriptions AS s (customer_id, subscription_id, event_at, precedence, event_id, status, prices, ends_at,
                                       has_counted)
VALUES (:customer_id, :subscription_id, :event_at::timestamptz, :precedence, :event_id, :status, :prices::text[],
        :ends_at::timestamptz, :counts)
    ON CONFLICT (customer_id, subscription_id) DO UPDATE
   SET event_at = excluded.event_at, precedence = excluded.precedence, event_id = excluded.event_id, status = excluded.status,
       prices = excluded.prices, ends_at = excluded.ends_at
 WHERE (s.event_at, s.precedence, s.event_id COLLATE "C")
     < (excluded.event_at, excluded.precedence, excluded.event_id COLLATE "C");

-- name: subscription_counts!
-- Note that a subscription was about a plan of ours at some time, whichever of its events came last.
UPDATE stripe_subscriptions AS s
   SET has_counted = true
 WHERE s.customer_id = :customer_id AND s.subscription_id = :subscription_id AND NOT s.has_counted;

-- name: forget_customers!
-- Forget customers whom nobody has said to be a user, 90 days after they were last heard of.
DELETE FROM stripe_customers AS c WHERE c.user_id IS NULL AND c.seen_at < tk_now() - interval '90 days';

-- name: subscription_of_user$
-- What a user has bought at Stripe: a subscription that is `running` (paid for right now or not), or only such that have `ended`.
-- No row for who never had one.
SELECT CASE WHEN bool_or(tk_is_running(s.status)) THEN 'running' ELSE 'ended' END
  FROM stripe_customers AS c
  JOIN stripe_subscriptions AS s ON s.customer_id = c.customer_id
 WHERE c.user_id = :user_id AND s.has_counted
HAVING count(*) > 0;
