import { Modal } from "@mantine/core";
import { useState } from "react";
import { useAccount } from "@/api/account";
import { call } from "@/api/call";
import { confirmation } from "@/api/confirmation";
import { knowsPasskeys } from "@/api/passkeys";
import type { Account } from "@/api/types";
import dialog from "@/shared/Dialog.module.css";
import { ByMail } from "./ByMail";
import { ByPasskey } from "./ByPasskey";

/** What is sensitive asks for a sign-in of the last minutes: here one signs in anew, and goes on where one was. */
export function ConfirmItIsYou() {
  const account = useAccount().data;
  if (account === undefined) return null;
  return (
    <Modal
      opened
      onClose={() => confirmation.answer(false)}
      zIndex={300}
      title="Confirm it is you"
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <p className={dialog.about}>
        You signed in as {account.email} some time ago. What you are about to do asks for a sign-in of the
        last minutes.
      </p>
      <Ways account={account} />
    </Modal>
  );
}

/** By passkey where there is one, else by mail. */
function Ways({ account }: { account: Account }) {
  const hasPasskey = account.passkeys > 0 && knowsPasskeys();
  const [isByMail, setIsByMail] = useState(!hasPasskey);
  const done = () => void goOn(account);
  if (!isByMail) return <ByPasskey onDone={done} onOther={() => setIsByMail(true)} />;
  return <ByMail email={account.email} onDone={done} />;
}

/** Let what waits go on, if it is still the same person; whoever signed in as somebody else begins as them. */
async function goOn(before: Account): Promise<void> {
  const now = await call<{ account: Account }>("/api/account").catch(() => null);
  if (now !== null && now.account.id !== before.id) location.assign("/");
  else confirmation.answer(true);
}
