-- Who used most: days of all users are found by their date, and not by looking through everybody's history.
-- An index of its expression, so that no plan for the days of one user can take it for the primary key.

CREATE INDEX usage_rollups_days ON usage_rollups ((period_start::date)) WHERE period = 'day';
