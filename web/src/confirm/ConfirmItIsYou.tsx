import { Modal } from "@mantine/core";
import { useState } from "react";
import { useAccount, useWays } from "@/api/account";
import { call } from "@/api/call";
import { confirmation } from "@/api/confirmation";
import { beginAnew } from "@/api/ending";
import { knowsPasskeys } from "@/api/passkeys";
import type { Account } from "@/api/types";
import dialog from "@/shared/Dialog.module.css";
import { ByGitHub } from "./ByGitHub";
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

/** By passkey where there is one, else by mail; by GitHub where that is connected. */
function Ways({ account }: { account: Account }) {
  const ways = useWays().data;
  const hasPasskey = account.passkeys > 0 && knowsPasskeys();
  const [isByMail, setIsByMail] = useState(!hasPasskey);
  const done = () => void goOn(account);
  return (
    <>
      {isByMail ? (
        <ByMail email={account.email} isMailed={ways?.isMailed ?? true} onDone={done} />
      ) : (
        <ByPasskey onDone={done} onOther={() => setIsByMail(true)} />
      )}
      {account.hasGithub && ways?.github && <ByGitHub />}
    </>
  );
}

/** Let what waits go on if it is the same person for sure; whoever signed in as somebody else begins as them. */
async function goOn(before: Account): Promise<void> {
  const now = await call<{ account: Account }>("/api/account").catch(() => null);
  if (now?.account.id === before.id) confirmation.answer(true);
  else beginAnew("/");
}
