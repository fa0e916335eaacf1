import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type MouseEvent, useState } from "react";
import { useAccount, useDisconnectGitHub, useWays } from "@/api/account";
import { confirmation } from "@/api/confirmation";
import { isRecent, loginsQuery } from "@/api/logins";
import type { Account } from "@/api/types";
import { AskFirst } from "@/shared/AskFirst";
import dialog from "@/shared/Dialog.module.css";
import { IconWarning } from "@/shared/icons";
import { Panel } from "@/shared/Panel";
import styles from "./security.module.css";

const CONNECT = `/sign-in/github?connect=true&next=${encodeURIComponent("/settings/security")}`;

/** GitHub, where it is set up here: connected with the account, and parted from it again. */
export function GitHubPanel() {
  const account = useAccount().data;
  const ways = useWays().data;
  const [isAsking, setIsAsking] = useState(false);
  if (account === undefined || ways === undefined || !(ways.github || account.hasGithub)) return null;
  return (
    <Panel
      title="GitHub"
      note={account.actingAs === null ? undefined : "for the user alone to connect and part"}
    >
      <div className={styles.way}>
        <p>
          {account.hasGithub
            ? "Connected: your GitHub account signs you in here."
            : "Let your GitHub account sign you in here, too. Of it we keep its number and nothing else."}
        </p>
        {account.hasGithub ? (
          <Button
            size="xs"
            variant="default"
            disabled={account.actingAs !== null}
            onClick={() => setIsAsking(true)}
          >
            Disconnect …
          </Button>
        ) : (
          // Whoever acts as somebody signs nobody else in to their account.
          account.actingAs === null && <Connect />
        )}
      </div>
      {isAsking && (
        <Disconnect account={account} isMailed={ways.isMailed} onClose={() => setIsAsking(false)} />
      )}
    </Panel>
  );
}

/** Leads to GitHub and back; it asks for a sign-in of the last minutes, so that comes first. */
function Connect() {
  const client = useQueryClient();
  const go = async (event: MouseEvent) => {
    event.preventDefault();
    const here = client.getQueryData(loginsQuery.queryKey)?.pages[0]?.items.find((each) => each.isCurrent);
    if (here === undefined || isRecent(here) || (await confirmation.asked())) location.assign(CONNECT);
  };
  return (
    <Button component="a" href={CONNECT} size="xs" variant="default" onClick={(event) => void go(event)}>
      Connect GitHub
    </Button>
  );
}

interface DisconnectProps {
  account: Account;
  isMailed: boolean;
  onClose: () => void;
}

/** Asks first, and says by what one signs in then. */
function Disconnect({ account: { email, passkeys }, isMailed, onClose }: DisconnectProps) {
  const disconnect = useDisconnectGitHub();
  return (
    <AskFirst title="Disconnect GitHub?" verb="Disconnect" act={disconnect} onClose={onClose}>
      <p>
        It signs you in no more. You still sign in{" "}
        {isMailed ? `by a code that is mailed to ${email}` : `with ${email} and a code`}
        {passkeys > 0 && " or by passkey"}. Browsers that it has signed in stay signed in until you end them.
      </p>
      {!isMailed && (
        <p className={`${dialog.warning} ${styles.told}`}>
          <IconWarning />
          <span>
            This service has no mail server: codes stand on its console, where whoever runs it reads them to
            you. {passkeys === 0 && "With a passkey you depend on nobody."}
          </span>
        </p>
      )}
    </AskFirst>
  );
}
