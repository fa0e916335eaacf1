-- What the fields of the finished requests take written one behind the other, without any framing: texts in UTF-8, an id
-- 16 bytes, an instant and a number 8, a yes or no 1. Counted is what callers said or are told of a request; not what is
-- kept beside that to decide and to prove.
SELECT sum(octet_length(r.prompt) + octet_length(r.response) + octet_length(r.model) + octet_length(r.request_type)
           + coalesce(octet_length(r.category), 0) + coalesce(octet_length(r.session_id), 0) + octet_length(r.status)
           + octet_length(r.cost_source) + coalesce(octet_length(r.ip_address), 0) + coalesce(octet_length(r.user_agent), 0)
           + 2 * 16             -- its id, its user
           + 3 * 8              -- started, completed, created
           + 5 * 8              -- tokens in, out and used; cost; duration
           + 2)                 -- late, successful
  FROM chat_requests AS r
 WHERE r.status = 'completed'
