import shared from "@/shared/shared.module.css";
import { type State, TONES, WORDS } from "./states";

/** How an exception stands. */
export function StateBadge({ state }: { state: State }) {
  return (
    <span className={shared.badge} data-tone={TONES[state]}>
      {WORDS[state]}
    </span>
  );
}
