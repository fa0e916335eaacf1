import { useState } from "react";
import { useIsActing } from "@/api/account";
import { useEndLogin, useEndOtherLogins, useLogins } from "@/api/logins";
import type { LoginSession } from "@/api/types";
import { AskFirst } from "@/shared/AskFirst";
import { Button } from "@/shared/Button";
import { Tag } from "@/shared/badges";
import { EmptyState } from "@/shared/EmptyState";
import { ErrorState } from "@/shared/ErrorState";
import { Loaded } from "@/shared/Loaded";
import { MoreRows } from "@/shared/MoreRows";
import { Panel } from "@/shared/Panel";
import { RowActions } from "@/shared/RowActions";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { type Column, Table } from "@/shared/Table";
import { TimeAgo } from "@/shared/TimeAgo";
import { exactTime } from "@/shared/times";
import styles from "./security.module.css";

const WAYS: Record<LoginSession["signedInBy"], string> = {
  email: "by e-mail",
  github: "by GitHub",
  link: "by the operator's link",
  passkey: "by passkey",
};

/** Browsers that are signed in, and how to sign them out from here. */
export function LoginsPanel() {
  const logins = useLogins();
  const end = useEndLogin();
  const isActing = useIsActing();
  const [isAsking, setIsAsking] = useState(false);
  const all = logins.data?.pages.flatMap(({ items }) => items) ?? [];
  const endAll = all.length > 1 && !isActing && (
    <Button size="xs" variant="default" onClick={() => setIsAsking(true)}>
      Sign out all others …
    </Button>
  );
  return (
    <>
      <Panel
        title={isActing ? "Where they are signed in" : "Where you are signed in"}
        note={isActing ? "for the user alone to end" : undefined}
        flush
        actions={endAll}
      >
        {end.error !== null && <ErrorState problem={end.error} />}
        <Loaded query={logins} skeleton={<SkeletonRows rows={3} />}>
          {() =>
            all.length === 0 ? (
              <EmptyState title="In no browser">
                The user is signed in nowhere. An operator who acts as them is not listed.
              </EmptyState>
            ) : (
              <Table
                rows={all}
                columns={
                  isActing
                    ? COLUMNS
                    : [...COLUMNS, actions(end.mutate, end.isPending ? end.variables : undefined)]
                }
                keyOf={({ id }) => id}
              />
            )
          }
        </Loaded>
        <MoreRows {...logins} />
      </Panel>
      {isAsking && <EndOthers onClose={() => setIsAsking(false)} />}
    </>
  );
}

const COLUMNS: Column<LoginSession>[] = [
  {
    label: "Browser",
    kind: "wide",
    title: ({ userAgent }) => userAgent ?? undefined,
    of: ({ device, isCurrent }) => (
      <>
        <span className={styles.device}>{device}</span> {isCurrent && <Tag tone="accent">this browser</Tag>}
      </>
    ),
  },
  { label: "Address", isSoft: true, of: ({ ipAddress }) => ipAddress ?? "unknown address" },
  {
    label: "Signed in",
    isSoft: true,
    title: ({ createdAt, expiresAt }) =>
      `${exactTime(createdAt)}; until ${exactTime(expiresAt)} at the latest`,
    of: ({ createdAt, signedInBy }) => (
      <>
        <TimeAgo at={createdAt} /> {WAYS[signedInBy]}
      </>
    ),
  },
  {
    label: "Last seen",
    isSoft: true,
    isExtra: true,
    isNone: true,
    of: ({ lastSeenAt }) => <TimeAgo at={lastSeenAt} />,
  },
];

const actions = (end: (id: string) => void, ending: string | undefined): Column<LoginSession> => ({
  label: "Actions",
  heading: <span className="visually-hidden">Actions</span>,
  of: ({ id, device, isCurrent }) => (
    <RowActions>
      {!isCurrent && (
        <Button
          size="compact-sm"
          variant="default"
          aria-label={`Sign out ${device}`}
          loading={ending === id}
          onClick={() => end(id)}
        >
          Sign out
        </Button>
      )}
    </RowActions>
  ),
});

function EndOthers({ onClose }: { onClose: () => void }) {
  const end = useEndOtherLogins();
  return (
    <AskFirst title="Sign out all other browsers?" verb="Sign out all others" act={end} onClose={onClose}>
      <p>
        Each of them has to sign in again, and open links and codes no longer work. This browser stays signed
        in.
      </p>
    </AskFirst>
  );
}
