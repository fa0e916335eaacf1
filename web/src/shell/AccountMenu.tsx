import { Menu } from "@mantine/core";
import { useSignOut } from "@/api/account";
import type { Account } from "@/api/types";
import { IconSort } from "@/shared/icons";
import { Portrait } from "@/shared/Portrait";
import { planTitle } from "@/shared/planTitle";
import { useLeaving } from "@/shared/useUnsaved";
import styles from "./Shell.module.css";

/** Who is signed in, and the way out. */
export function AccountMenu({ account }: { account: Account }) {
  const name = account.name ?? account.email;
  const signOut = useSignOut();
  const { leave, question } = useLeaving(signOut.mutate);
  return (
    <div>
      {signOut.error !== null && (
        <p className={styles.stillIn} role="alert">
          You are still signed in. {signOut.error.title}.
        </p>
      )}
      <Menu position="top-start" width={224} onOpen={signOut.reset}>
        <Menu.Target>
          <button type="button" className={styles.account}>
            <Portrait of={account} />
            <span className="visually-hidden">Account of </span>
            <span className={styles.who}>
              <span>{name}</span>
              <small>{planTitle(account.plan)} plan</small>
            </span>
            <IconSort />
          </button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label className={styles.email ?? ""}>{account.email}</Menu.Label>
          <Menu.Item component="a" href="/docs">
            API reference
          </Menu.Item>
          <Menu.Divider />
          <Menu.Item onClick={leave}>Sign out</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {question}
    </div>
  );
}
