-- A node proves every number by itself. What is damaged on disk is told apart from what is wrong.

ALTER TABLE verifications
    ADD COLUMN unreadable bigint NOT NULL DEFAULT 0 CHECK (unreadable >= 0);
COMMENT ON TABLE verifications IS 'What `tollkeeper verify` and the nodes'' own proofs found, of 90 days.';
COMMENT ON COLUMN verifications.unreadable IS 'Users and months whose requests could not be read: of them nothing is proved.';
