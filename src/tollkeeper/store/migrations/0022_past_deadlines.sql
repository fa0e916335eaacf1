-- tk_start and tk_finish have a parameter more. Nothing changes here; but code of before, which would make its own forms of them
-- beside these so that no call could say which it means, finds this name and does not start.
SELECT;
