import { Link } from "@tanstack/react-router";
import { CopyButton } from "@/shared/CopyButton";
import { Panel } from "@/shared/Panel";
import styles from "./overview.module.css";

const START = (origin: string) => `curl ${origin}/api/chat/track \\
  -H "Authorization: Bearer $TOLLKEEPER_KEY" -H "Content-Type: application/json" \\
  -d '{"prompt": "Hello", "model": "gpt-4o-mini", "requestId": "first-1"}'`;
const END = (origin: string) => `curl -X PUT ${origin}/api/chat/track \\
  -H "Authorization: Bearer $TOLLKEEPER_KEY" -H "Content-Type: application/json" \\
  -d '{"requestId": "first-1", "status": "completed", "tokensInput": 9, "tokensOutput": 12}'`;

/** How it begins, for whom nothing was tracked yet. */
export function Begin() {
  return (
    <Panel title="Track your first request">
      <p className={styles.soft}>
        Nothing was tracked for you yet. An app tells when a chat request starts and how it ended; numbers and
        charts of your usage then appear here by themselves.
      </p>
      <ol className={styles.steps}>
        <li>
          <h3>A key of your own</h3>
          <p className={styles.soft}>
            <Link to="/settings/keys">Make an API key</Link> and put it into <code>TOLLKEEPER_KEY</code>.
          </p>
        </li>
        <Step title="When a request starts" command={START(location.origin)} />
        <Step title="When it has ended" command={END(location.origin)} />
      </ol>
      <p className={styles.soft}>
        <a href="/docs#start_tracking">All that can be told about a request</a>
      </p>
    </Panel>
  );
}

function Step({ title, command }: { title: string; command: string }) {
  return (
    <li>
      <h3>{title}</h3>
      <div className={styles.command}>
        <pre tabIndex={0}>{command}</pre>
        <CopyButton text={command} label={`Copy the command: ${title.toLowerCase()}`} />
      </div>
    </li>
  );
}
