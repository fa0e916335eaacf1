import { Link } from "@tanstack/react-router";

/** The sign of the house; it leads home. */
export function Brand() {
  return (
    <Link to="/" className="frame-mark">
      <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
        <rect width="32" height="32" rx="8" fill="var(--accent)" />
        <path
          d="M8 23V12M8 14.5l16-5M8 23h16"
          fill="none"
          stroke="var(--on-accent)"
          strokeWidth="2.6"
          strokeLinecap="round"
          strokeLinejoin="round"
        />
      </svg>
      tollkeeper
    </Link>
  );
}
