-- What came of invitations is seen for a while.

ALTER TABLE invitations
    ADD COLUMN accepted_at  timestamptz,
    ADD COLUMN withdrawn_at timestamptz,
    ADD CHECK (accepted_at IS NULL OR withdrawn_at IS NULL);
COMMENT ON TABLE invitations IS 'Addresses that may sign up. One that is accepted, withdrawn or expired is seen for 30 days more; with its user it goes at once.';
