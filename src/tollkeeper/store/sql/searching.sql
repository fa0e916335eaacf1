-- Finding requests among many, a bounded part at a time.

-- name: search_requests^
-- Walk down a user's requests from below an id, at most so many; answer what fits, at most so much (by texts as
-- newest_requests) and where in each the text stands, whether more of it fits, and where the walk ended. One conversation is
-- walked by its index, and so is what is pending. With `rank` also the ids of all that fits, where the text stands in each, and
-- the figure by which they are ranked; what has none is below all that has one.
WITH walked AS MATERIALIZED (
    SELECT r.id, r.started_at, tk_bytes_of_texts(r.prompt, r.response, r.error_message) AS bytes,
           -- Null where it does not fit. Else where the text begins, counted from 1: in the prompt, or with a minus in the
           -- response; 0 where none is looked for.
           CASE WHEN (
                    (:model::text IS NULL OR coalesce(r.model, 'unknown') = :model)
                    AND (:category::text IS NULL OR coalesce(r.category, 'uncategorized') = :category)
                    AND (:request_type::text IS NULL OR r.request_type = :request_type)
                    AND (:complexity::text IS NULL OR coalesce(r.complexity, 'unknown') = :complexity)
                    AND (:status::text IS NULL
                         OR CASE WHEN r.status = 'pending' AND r.expires_at <= n.now THEN 'failed' ELSE r.status END = :status::text)
                    AND (:since::timestamptz IS NULL OR r.started_at >= :since::timestamptz)
                    AND (:until::timestamptz IS NULL OR r.started_at < :until::timestamptz)
                    AND (:least_nanos::bigint IS NULL OR r.cost_nanos >= :least_nanos)
                    AND (:most_nanos::bigint IS NULL OR r.cost_nanos <= :most_nanos)
                    AND (:least_ms::bigint IS NULL OR r.duration >= :least_ms)
                    AND (:most_ms::bigint IS NULL OR r.duration <= :most_ms)
                    AND CASE :rating::text WHEN 'any' THEN a.user_rating IS NOT NULL WHEN 'none' THEN a.user_rating IS NULL
                             ELSE :rating::text IS NULL OR a.user_rating::text = :rating::text END
                ) IS NOT TRUE THEN NULL
                WHEN :text::text IS NULL THEN 0
                -- Last, for long texts are unpacked to be read.
                ELSE coalesce(nullif(strpos(lower(r.prompt), lower(:text)), 0), - nullif(strpos(lower(r.response), lower(:text)), 0))
                END AS place,
           CASE :rank::text WHEN 'cost' THEN r.cost_nanos WHEN 'tokens_used' THEN r.tokens_used WHEN 'duration' THEN r.duration
           END AS rank
      FROM (SELECT tk_now() AS now) AS n
     CROSS JOIN LATERAL (
               (SELECT q.* FROM chat_requests AS q
                 WHERE q.user_id = :user_id AND q.session_id BETWEEN :session_id::text AND :session_id::text
                   AND q.id < coalesce(:beyond::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                   -- A range of ids is a range in time: months that are not asked for are not looked at.
                   AND q.id < coalesce(tk_first_uuid7(:until::timestamptz + interval '1 millisecond'),
                                       'ffffffff-ffff-ffff-ffff-ffffffffffff')
                   AND q.id >= coalesce(tk_first_uuid7(:since::timestamptz), '00000000-0000-0000-0000-000000000000')
                 ORDER BY q.session_id DESC, q.id DESC
                 LIMIT :walk)
                UNION ALL
               (SELECT q.* FROM chat_requests AS q
                 WHERE :session_id::text IS NULL AND :status::text = 'pending' AND q.status = 'pending' AND q.user_id = :user_id
                   AND q.id < coalesce(:beyond::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                   -- A range of ids is a range in time: months that are not asked for are not looked at.
                   AND q.id < coalesce(tk_first_uuid7(:until::timestamptz + interval '1 millisecond'),
                                       'ffffffff-ffff-ffff-ffff-ffffffffffff')
                   AND q.id >= coalesce(tk_first_uuid7(:since::timestamptz), '00000000-0000-0000-0000-000000000000')
                 ORDER BY q.id DESC
                 LIMIT :walk)
                UNION ALL
               (SELECT q.* FROM chat_requests AS q
                 WHERE :session_id::text IS NULL AND :status::text IS DISTINCT FROM 'pending' AND q.user_id = :user_id
                   AND q.id < coalesce(:beyond::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                   -- A range of ids is a range in time: months that are not asked for are not looked at.
                   AND q.id < coalesce(tk_first_uuid7(:until::timestamptz + interval '1 millisecond'),
                                       'ffffffff-ffff-ffff-ffff-ffffffffffff')
                   AND q.id >= coalesce(tk_first_uuid7(:since::timestamptz), '00000000-0000-0000-0000-000000000000')
                 ORDER BY q.id DESC
                 LIMIT :walk)) AS r
      -- By its key, and only where a rating is asked for.
      LEFT JOIN LATERAL (SELECT g.user_rating FROM request_analytics AS g
                          WHERE :rating::text IS NOT NULL AND g.user_id = :user_id AND g.id = r.id LIMIT 1) AS a ON true
), given AS MATERIALIZED (
    SELECT f.id, f.bytes, f.place
      FROM (SELECT w.id, w.bytes, w.place,
                   sum(w.bytes) OVER (ORDER BY w.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
              FROM walked AS w
             WHERE w.place IS NOT NULL
             ORDER BY w.id DESC
             LIMIT :most) AS f
     WHERE coalesce(f.bytes_before, 0) < :most_bytes::bigint
)
SELECT (SELECT count(*) FROM walked) AS walked, l.id AS last_id, l.started_at AS last_at,
       (SELECT count(*) FROM walked AS w WHERE w.place IS NOT NULL) > (SELECT count(*) FROM given) AS goes_on,
       (SELECT coalesce(sum(g.bytes), 0)::bigint FROM given AS g) AS bytes,
       ARRAY(SELECT s.shown
               FROM (SELECT g.id FROM given AS g ORDER BY g.id DESC) AS f
              CROSS JOIN LATERAL (SELECT v AS shown FROM requests_shown AS v
                                   WHERE v.user_id = :user_id AND v.id = f.id LIMIT 1) AS s
              ORDER BY f.id DESC) AS found,
       ARRAY(SELECT g.place FROM given AS g ORDER BY g.id DESC) AS places,
       k.ids AS ranked, k.places AS ranked_places, k.ranks
  FROM (SELECT 1) AS always
  LEFT JOIN LATERAL (SELECT w.id, w.started_at FROM walked AS w ORDER BY w.id LIMIT 1) AS l ON true
 CROSS JOIN (SELECT array_agg(w.id) AS ids, array_agg(w.place) AS places, array_agg(w.rank) AS ranks
               FROM walked AS w WHERE w.place IS NOT NULL AND :rank::text IS NOT NULL) AS k;

-- name: search_requests_upwards^
-- As search_requests, up from above an id: the oldest first. Nothing is ranked.
WITH walked AS MATERIALIZED (
    SELECT r.id, r.started_at, tk_bytes_of_texts(r.prompt, r.response, r.error_message) AS bytes,
           CASE WHEN (
                    (:model::text IS NULL OR coalesce(r.model, 'unknown') = :model)
                    AND (:category::text IS NULL OR coalesce(r.category, 'uncategorized') = :category)
                    AND (:request_type::text IS NULL OR r.request_type = :request_type)
                    AND (:complexity::text IS NULL OR coalesce(r.complexity, 'unknown') = :complexity)
                    AND (:status::text IS NULL
                         OR CASE WHEN r.status = 'pending' AND r.expires_at <= n.now THEN 'failed' ELSE r.status END = :status::text)
                    AND (:since::timestamptz IS NULL OR r.started_at >= :since::timestamptz)
                    AND (:until::timestamptz IS NULL OR r.started_at < :until::timestamptz)
                    AND (:least_nanos::bigint IS NULL OR r.cost_nanos >= :least_nanos)
                    AND (:most_nanos::bigint IS NULL OR r.cost_nanos <= :most_nanos)
                    AND (:least_ms::bigint IS NULL OR r.duration >= :least_ms)
                    AND (:most_ms::bigint IS NULL OR r.duration <= :most_ms)
                    AND CASE :rating::text WHEN 'any' THEN a.user_rating IS NOT NULL WHEN 'none' THEN a.user_rating IS NULL
                             ELSE :rating::text IS NULL OR a.user_rating::text = :rating::text END
                ) IS NOT TRUE THEN NULL
                WHEN :text::text IS NULL THEN 0
                ELSE coalesce(nullif(strpos(lower(r.prompt), lower(:text)), 0), - nullif(strpos(lower(r.response), lower(:text)), 0))
                END AS place
      FROM (SELECT tk_now() AS now) AS n
     CROSS JOIN LATERAL (
               (SELECT q.* FROM chat_requests AS q
                 WHERE q.user_id = :user_id AND q.session_id BETWEEN :session_id::text AND :session_id::text
                   AND q.id > coalesce(:beyond::uuid, '00000000-0000-0000-0000-000000000000')
                   AND q.id < coalesce(tk_first_uuid7(:until::timestamptz + interval '1 millisecond'),
                                       'ffffffff-ffff-ffff-ffff-ffffffffffff')
                   AND q.id >= coalesce(tk_first_uuid7(:since::timestamptz), '00000000-0000-0000-0000-000000000000')
                 ORDER BY q.session_id, q.id
                 LIMIT :walk)
                UNION ALL
               (SELECT q.* FROM chat_requests AS q
                 WHERE :session_id::text IS NULL AND :status::text = 'pending' AND q.status = 'pending' AND q.user_id = :user_id
                   AND q.id > coalesce(:beyond::uuid, '00000000-0000-0000-0000-000000000000')
                   AND q.id < coalesce(tk_first_uuid7(:until::timestamptz + interval '1 millisecond'),
                                       'ffffffff-ffff-ffff-ffff-ffffffffffff')
                   AND q.id >= coalesce(tk_first_uuid7(:since::timestamptz), '00000000-0000-0000-0000-000000000000')
                 ORDER BY q.id
                 LIMIT :walk)
                UNION ALL
               (SELECT q.* FROM chat_requests AS q
                 WHERE :session_id::text IS NULL AND :status::text IS DISTINCT FROM 'pending' AND q.user_id = :user_id
                   AND q.id > coalesce(:beyond::uuid, '00000000-0000-0000-0000-000000000000')
                   AND q.id < coalesce(tk_first_uuid7(:until::timestamptz + interval '1 millisecond'),
                                       'ffffffff-ffff-ffff-ffff-ffffffffffff')
                   AND q.id >= coalesce(tk_first_uuid7(:since::timestamptz), '00000000-0000-0000-0000-000000000000')
                 ORDER BY q.id
                 LIMIT :walk)) AS r
      LEFT JOIN LATERAL (SELECT g.user_rating FROM request_analytics AS g
                          WHERE :rating::text IS NOT NULL AND g.user_id = :user_id AND g.id = r.id LIMIT 1) AS a ON true
), given AS MATERIALIZED (
    SELECT f.id, f.bytes, f.place
      FROM (SELECT w.id, w.bytes, w.place,
                   sum(w.bytes) OVER (ORDER BY w.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
              FROM walked AS w
             WHERE w.place IS NOT NULL
             ORDER BY w.id
             LIMIT :most) AS f
     WHERE coalesce(f.bytes_before, 0) < :most_bytes::bigint
)
SELECT (SELECT count(*) FROM walked) AS walked, l.id AS last_id, l.started_at AS last_at,
       (SELECT count(*) FROM walked AS w WHERE w.place IS NOT NULL) > (SELECT count(*) FROM given) AS goes_on,
       (SELECT coalesce(sum(g.bytes), 0)::bigint FROM given AS g) AS bytes,
       ARRAY(SELECT s.shown
               FROM (SELECT g.id FROM given AS g ORDER BY g.id) AS f
              CROSS JOIN LATERAL (SELECT v AS shown FROM requests_shown AS v
                                   WHERE v.user_id = :user_id AND v.id = f.id LIMIT 1) AS s
              ORDER BY f.id) AS found,
       ARRAY(SELECT g.place FROM given AS g ORDER BY g.id) AS places
  FROM (SELECT 1) AS always
  LEFT JOIN LATERAL (SELECT w.id, w.started_at FROM walked AS w ORDER BY w.id DESC LIMIT 1) AS l ON true;
