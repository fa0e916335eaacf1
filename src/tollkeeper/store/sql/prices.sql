-- The operator's own prices of models. They come before the public list, each from its instant on.

-- name: put_model_prices
-- Set prices; one of the same model and instant is replaced. Requests keep the prices that stand on their rows.
INSERT INTO model_prices AS p (model, effective_from, rates)
SELECT *
  FROM unnest(:models::text[], :effective_from::timestamptz[], :rates::jsonb[])
    ON CONFLICT (model, effective_from) DO UPDATE
   SET rates = excluded.rates, created_at = tk_now()
RETURNING p.model;

-- name: model_prices
-- All of them, by model and time.
SELECT p.model, p.effective_from, p.rates
  FROM model_prices AS p
 ORDER BY p.model, p.effective_from;

-- name: remove_model_prices
-- Take all own prices of a model away.
DELETE FROM model_prices AS p
 WHERE p.model = :model
RETURNING p.model;
