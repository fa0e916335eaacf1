import type { Account } from "@/api/types";
import styles from "./Portrait.module.css";
import { firstSeen } from "./visible";

interface PortraitProps {
  of: Pick<Account, "name" | "email" | "image">;
  size?: number;
}

/** Somebody's picture, or how their name begins. Their name stands beside it. */
export function Portrait({ of: { name, email, image }, size = 28 }: PortraitProps) {
  if (image !== null) return <img className={styles.picture} src={image} width={size} height={size} alt="" />;
  return (
    <span
      className={styles.initial}
      style={{ width: size, height: size, fontSize: size * 0.46 }}
      aria-hidden="true"
    >
      {(firstSeen(name ?? "") ?? firstSeen(email) ?? "?").toUpperCase()}
    </span>
  );
}
