-- Who used most: days of all users are found by their date, and not by looking through everybody's history.

CREATE INDEX usage_rollups_days ON usage_rollups (period_start) WHERE period = 'day';
