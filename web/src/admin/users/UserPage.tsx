import { Skeleton } from "@mantine/core";
import { Link, useParams } from "@tanstack/react-router";
import { useUser, useUsersDashboard } from "@/api/admin";
import type { DirectoryEntry } from "@/api/types";
import { LimitMeters } from "@/overview/LimitMeters";
import { Tag } from "@/shared/badges";
import { Loaded } from "@/shared/Loaded";
import { PageHeader } from "@/shared/PageHeader";
import { PeriodChoice } from "@/shared/PeriodChoice";
import { useDays } from "@/shared/period";
import { TimeAgo } from "@/shared/TimeAgo";
import { UsageSection } from "@/usage/UsageSection";
import { ActAs } from "./ActAs";
import { DeleteUser } from "./DeleteUser";
import { UserControls } from "./UserControls";
import { UsersRequests } from "./UsersRequests";
import styles from "./users.module.css";

/** One user: what they see, and what an operator may change. */
export function UserPage() {
  const { user: id = "" } = useParams({ strict: false });
  const user = useUser(id);
  return (
    <>
      <nav className={styles.up} aria-label="Breadcrumb">
        <Link to="/admin/users">Users</Link>
      </nav>
      <Loaded query={user} skeleton={<Skeleton height={400} />}>
        {(found) => <Found user={found} />}
      </Loaded>
    </>
  );
}

function Found({ user }: { user: DirectoryEntry }) {
  const dashboard = useUsersDashboard(user.id);
  const [days, setDays] = useDays();
  return (
    <>
      <PageHeader
        title={user.name ?? user.email ?? user.id}
        tab={user.email ?? "User"}
        about={<About user={user} />}
      >
        <ActAs user={user} />
        <PeriodChoice days={days} onChange={setDays} />
      </PageHeader>
      <div className={styles.stack}>
        <UserControls user={user} />
        {dashboard.data !== undefined && <LimitMeters limits={dashboard.data.limits} isOwn={false} />}
        <UsageSection whose={{ user: user.id }} days={days} timeZone={user.timeZone} />
        <UsersRequests userId={user.id} known={dashboard.data} />
        <DeleteUser user={user} />
      </div>
    </>
  );
}

function About({ user }: { user: DirectoryEntry }) {
  return (
    <>
      {user.name != null && `${user.email ?? user.id} · `}
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
