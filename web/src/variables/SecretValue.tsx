import { ActionIcon, Tooltip } from "@mantine/core";
import { useEffect, useState } from "react";
import { Problem } from "@/api/call";
import { reveal } from "@/api/variables";
import { CopyButton } from "@/shared/CopyButton";
import { IconEye, IconEyeOff } from "@/shared/icons";
import styles from "./variables.module.css";

const SHOWN_MS = 30_000;

/** A secret's mask; the secret itself on demand, and not for long. */
export function SecretValue({ name, mask }: { name: string; mask: string }) {
  const [secret, setSecret] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    if (secret === null) return;
    const hiding = setTimeout(() => setSecret(null), SHOWN_MS);
    return () => clearTimeout(hiding);
  }, [secret]);
  const toggle = async () => {
    setProblem(null);
    if (secret !== null) return setSecret(null);
    await reveal(name).then(setSecret, (error: unknown) =>
      setProblem(error instanceof Problem ? error.detail : "It could not be revealed."),
    );
  };
  const label = secret === null ? "Reveal" : "Hide";
  return (
    <span className={styles.secret}>
      <code>{secret ?? mask.replaceAll("*", "•")}</code>
      <Tooltip label={label}>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="sm"
          aria-label={`${label} ${name}`}
          onClick={() => void toggle()}
        >
          {secret === null ? <IconEye size={14} /> : <IconEyeOff size={14} />}
        </ActionIcon>
      </Tooltip>
      {secret !== null && <CopyButton text={secret} label={`Copy ${name}`} />}
      {problem !== null && (
        <span role="alert" className={styles.fault}>
          {problem}
        </span>
      )}
    </span>
  );
}
