// Chat tracking as people build it in Node: http, rate-limiter-flexible on PostgreSQL, pg.
//
// The start counts the request against the user's limits and inserts a pending row. The finish updates the row and
// adds it to the user's totals. Settings come from the environment; see ../README.md.

import cluster from "node:cluster";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import pg from "pg";
import { RateLimiterPostgres, RateLimiterRes } from "rate-limiter-flexible";

const setting = (name, otherwise) => Number(process.env[name] ?? otherwise);
const WORKERS = setting("WORKERS", 1);
const POOL_SIZE = setting("POOL_SIZE", 8);
const KEY_CACHE_MS = 60_000;
const LARGEST_BODY = 8 * 1024 * 1024;
const DAY_SECONDS = 86_400;

const INSERT = {
  name: "insert",
  text: `
INSERT INTO chat_requests
       (user_id, session_id, prompt, model, request_type, category, complexity, ip_address, user_agent)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING id`,
};

// One statement, so that the row and the totals change together, in one round trip.
const FINISH = {
  name: "finish",
  text: `
WITH finished AS (
    UPDATE chat_requests AS c
       SET status = $3, response = $4, tokens_input = $5, tokens_output = $6,
           tokens_used = $5::integer + $6::integer, duration = $7,
           cost_nanos = (SELECT $5 * p.input_nanos + $6 * p.output_nanos FROM prices AS p WHERE p.model = c.model),
           error_message = $8, completed_at = now()
     WHERE id = $1 AND user_id = $2 AND status = 'pending'
    RETURNING user_id, status, tokens_input, tokens_output, cost_nanos, duration
), added AS (
    INSERT INTO user_totals AS t
    SELECT user_id, 1, (status = 'completed')::int, (status = 'failed')::int, tokens_input, tokens_output,
           coalesce(cost_nanos, 0), duration
      FROM finished
    ON CONFLICT (user_id) DO UPDATE
       SET requests = t.requests + 1, completed = t.completed + excluded.completed, failed = t.failed + excluded.failed,
           tokens_input = t.tokens_input + excluded.tokens_input,
           tokens_output = t.tokens_output + excluded.tokens_output,
           cost_nanos = t.cost_nanos + excluded.cost_nanos, duration = t.duration + excluded.duration
)
SELECT cost_nanos FROM finished`,
};

class Refusal extends Error {
  constructor(status, body) {
    super(body.detail);
    this.status = status;
    this.body = body;
  }
}

function serve() {
  const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: POOL_SIZE, min: POOL_SIZE });
  pool.on("error", (error) => console.error(error.message));
  const knownKeys = new Map();

  const limiter = (name, points, duration) =>
    new RateLimiterPostgres({
      storeClient: pool,
      storeType: "pool",
      tableName: "rate_limits",
      tableCreated: true,
      keyPrefix: name,
      points,
      duration,
      // Once the limit is reached, refusals need no query.
      inMemoryBlockOnConsumed: points + 1,
    });
  const limits = {
    daily: limiter("daily", setting("DAILY_LIMIT", 1_000_000), DAY_SECONDS),
    monthly: limiter("monthly", setting("MONTHLY_LIMIT", 10_000_000), 30 * DAY_SECONDS),
  };

  async function count(name, user) {
    try {
      return (await limits[name].consume(user)).consumedPoints;
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused;
      throw new Refusal(429, { detail: "limit reached", limit: name, allowed: limits[name].points });
    }
  }

  async function caller(request) {
    const key = (request.headers.authorization ?? "").replace(/^Bearer /, "");
    if ((knownKeys.get(key) ?? 0) < Date.now()) {
      const hash = createHash("sha256").update(key).digest();
      const found = await pool.query("SELECT true FROM api_keys WHERE key_hash = $1", [hash]);
      if (found.rowCount === 0) throw new Refusal(401, { detail: "no such key" });
      knownKeys.set(key, Date.now() + KEY_CACHE_MS);
    }
    const user = request.headers["tollkeeper-user"];
    if (!user) throw new Refusal(400, { detail: "Tollkeeper-User names nobody" });
    return user;
  }

  async function start(request, user, body) {
    const { prompt, sessionId, model, requestType = "chat", category, complexity } = body;
    requireThat(typeof prompt === "string", "prompt");
    requireThat([sessionId, model, requestType, category].every(isTextOrNothing), "sessionId, model, category");
    requireThat(complexity == null || ["low", "medium", "high"].includes(complexity), "complexity");
    const [dailyUsed, monthlyUsed] = await Promise.all([count("daily", user), count("monthly", user)]);
    const inserted = await pool.query({
      ...INSERT,
      values: [user, sessionId, prompt, model, requestType, category, complexity,
        request.socket.remoteAddress, request.headers["user-agent"]],
    });
    return [201, {
      success: true,
      id: inserted.rows[0].id,
      status: "pending",
      limits: { dailyUsed, dailyLimit: limits.daily.points, monthlyUsed, monthlyLimit: limits.monthly.points },
    }];
  }

  async function finish(_, user, body) {
    const { requestId, status, response, tokensInput = 0, tokensOutput = 0, duration = 0, errorMessage } = body;
    requireThat(typeof requestId === "string" && /^[0-9a-f-]{36}$/.test(requestId), "requestId");
    requireThat(status === "completed" || status === "failed", "status");
    requireThat([tokensInput, tokensOutput, duration].every((n) => Number.isInteger(n) && n >= 0), "numbers");
    requireThat([response, errorMessage].every(isTextOrNothing), "response, errorMessage");
    const finished = await pool.query({
      ...FINISH,
      values: [requestId, user, status, response, tokensInput, tokensOutput, duration, errorMessage],
    });
    if (finished.rowCount === 0) throw new Refusal(404, { detail: "no such pending request" });
    const costNanos = finished.rows[0].cost_nanos;
    return [200, {
      success: true,
      id: requestId,
      status,
      costNanos: costNanos == null ? null : Number(costNanos),
      tokensUsed: tokensInput + tokensOutput,
    }];
  }

  const operations = { POST: start, PUT: finish };

  async function handle(request, text) {
    const operation = request.url === "/api/chat/track" && operations[request.method];
    if (!operation) throw new Refusal(404, { detail: "no such path" });
    return operation(request, await caller(request), parsed(text));
  }

  createServer((request, response) => {
    const chunks = [];
    let size = 0;
    request.on("data", (chunk) => {
      size += chunk.length;
      if (size > LARGEST_BODY) request.destroy();
      else chunks.push(chunk);
    });
    request.on("end", () => {
      handle(request, Buffer.concat(chunks).toString()).then(
        ([status, body]) => send(response, status, body),
        (error) => {
          if (!(error instanceof Refusal)) console.error(error);
          send(response, error.status ?? 500, error.body ?? { detail: "internal error" });
        },
      );
    });
  }).listen(Number(process.env.PORT), "127.0.0.1");
}

const isTextOrNothing = (value) => value == null || typeof value === "string";

function requireThat(holds, what) {
  if (!holds) throw new Refusal(422, { detail: `${what}: not as it must be` });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, { detail: "not JSON" });
  }
}

function send(response, status, body) {
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

if (WORKERS > 1 && cluster.isPrimary) {
  for (let n = 0; n < WORKERS; n++) cluster.fork();
  cluster.on("exit", () => process.exit(1));
} else {
  serve();
}
