-- tk_start is told when past requests expired, tk_finish whether past failures gave their units back. The forms of before go
-- here and not with the routines: code that has them would make them again beside the new ones, and no call could say which it
-- means. So that code is refused.

DROP FUNCTION IF EXISTS tk_start(uuid[], text[], text[], text[], bytea[], timestamptz[], text[], text[], text[], text[], text[], text[],
                                 bigint[], bigint[], jsonb[], jsonb[], text[], text[], interval, text[]);
DROP FUNCTION IF EXISTS tk_finish(uuid[], uuid[], text[], bytea[], text[], text[], text[], text[], jsonb[], bigint[], bigint[], bigint[],
                                  bigint[], bigint[], bigint[], bigint[], bigint[], boolean[], smallint[], boolean[], timestamptz[],
                                  boolean, text[], bytea[]);
