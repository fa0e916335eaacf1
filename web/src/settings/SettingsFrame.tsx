import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { PageHeader } from "@/shared/PageHeader";
import { Sections } from "@/shared/Sections";
import styles from "./settings.module.css";

const SECTIONS = [
  { path: "/settings", label: "General" },
  { path: "/settings/security", label: "Security" },
  { path: "/settings/keys", label: "API keys" },
  { path: "/settings/activity", label: "Activity" },
  { path: "/settings/data", label: "Your data" },
] as const;

interface SettingsFrameProps {
  path: (typeof SECTIONS)[number]["path"];
  children: ReactNode;
}

/** What is around each section of the settings. */
export function SettingsFrame({ path, children }: SettingsFrameProps) {
  const label = SECTIONS.find((each) => each.path === path)?.label ?? "";
  return (
    <>
      <PageHeader title="Settings" tab={path === "/settings" ? "Settings" : label} />
      <Sections>
        {SECTIONS.map(({ path: to, label }) => (
          <Link key={to} to={to} activeOptions={{ exact: true, includeSearch: false }} resetScroll={false}>
            {label}
          </Link>
        ))}
      </Sections>
      <div className={styles.stack}>{children}</div>
    </>
  );
}
