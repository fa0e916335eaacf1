import { Skeleton } from "@mantine/core";
import { Link, useParams } from "@tanstack/react-router";
import { Fragment, type ReactNode } from "react";
import { useUser } from "@/api/admin";
import type { DirectoryEntry } from "@/api/types";
import { Tag } from "@/shared/badges";
import { Loaded } from "@/shared/Loaded";
import { PageHeader } from "@/shared/PageHeader";
import { Sections } from "@/shared/Sections";
import { TimeAgo } from "@/shared/TimeAgo";
import { DeadEnd } from "@/shell/DeadEnd";
import { ActAs } from "./ActAs";
import { SwitchUser } from "./SwitchUser";
import styles from "./users.module.css";

interface UserFrameProps {
  /** What the browser's tab calls this page of somebody. */
  tab: (who: string) => string;
  /** What can be done on this page. */
  actions?: ReactNode;
  children: (user: DirectoryEntry) => ReactNode;
}

/** What is around each page of one user: who they are, and whether they may use anything. */
export function UserFrame({ tab, actions, children }: UserFrameProps) {
  const { user: id = "" } = useParams({ strict: false });
  const user = useUser(id);
  return (
    <>
      <nav className={styles.up} aria-label="Breadcrumb">
        <Link to="/admin/users">Users</Link>
      </nav>
      <Loaded query={user} skeleton={<Skeleton height={400} />} missing={<NoUser />}>
        {(found) => (
          // By whom it is about, lest one sees anything of somebody at whom one has looked before.
          <Fragment key={found.id}>
            <PageHeader
              title={found.name ?? found.email ?? found.id}
              tab={tab(found.email ?? "User")}
              about={<About user={found} />}
            >
              {actions}
              <ActAs user={found} />
              <SwitchUser user={found} />
            </PageHeader>
            <Sections>
              {[
                <UsersLink key="usage" to="/admin/users/$user" id={found.id} label="Usage" />,
                <UsersLink
                  key="plan"
                  to="/admin/users/$user/plan"
                  id={found.id}
                  label="Plan and exceptions"
                />,
              ]}
            </Sections>
            <div className={styles.stack}>{children(found)}</div>
          </Fragment>
        )}
      </Loaded>
    </>
  );
}

function NoUser() {
  return (
    <DeadEnd title="User" said="There is no such user" to="/admin/users" way="To all users">
      The address may be mistyped, or their account was deleted.
    </DeadEnd>
  );
}

interface UsersLinkProps {
  to: "/admin/users/$user" | "/admin/users/$user/plan";
  id: string;
  label: string;
}

function UsersLink({ to, id, label }: UsersLinkProps) {
  return (
    <Link
      to={to}
      params={{ user: id }}
      activeOptions={{ exact: true, includeSearch: false }}
      resetScroll={false}
    >
      {label}
    </Link>
  );
}

function About({ user }: { user: DirectoryEntry }) {
  return (
    <>
      {user.name != null && (
        <>
          <bdi>{user.email ?? user.id}</bdi> ·{" "}
        </>
      )}
      added <TimeAgo at={user.createdAt} /> · {user.timeZone}
      {user.role === "admin" && (
        <>
          {" "}
          · <Tag tone="accent">operator</Tag>
        </>
      )}
      {!user.isActive && (
        <>
          {" "}
          · <Tag tone="warn">switched off</Tag>
        </>
      )}
    </>
  );
}
