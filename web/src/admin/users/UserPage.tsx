import { Skeleton } from "@mantine/core";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useUser, useUsersDashboard } from "@/api/admin";
import { useRequests } from "@/api/requests";
import type { DirectoryEntry } from "@/api/types";
import { LimitMeters } from "@/overview/LimitMeters";
import { RequestDrawer } from "@/requests/RequestDrawer";
import { RequestsTable } from "@/requests/RequestsTable";
import { Tag } from "@/shared/badges";
import { EmptyState } from "@/shared/EmptyState";
import { Loaded } from "@/shared/Loaded";
import { MoreRows } from "@/shared/MoreRows";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { PeriodChoice } from "@/shared/PeriodChoice";
import { useDays } from "@/shared/period";
import { TimeAgo } from "@/shared/TimeAgo";
import { UsageSection } from "@/usage/UsageSection";
import { UserControls } from "./UserControls";
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
        <PeriodChoice days={days} onChange={setDays} />
      </PageHeader>
      <div className={styles.stack}>
        <UserControls user={user} />
        {dashboard.data !== undefined && <LimitMeters limits={dashboard.data.limits} isOwn={false} />}
        <UsageSection whose={{ user: user.id }} days={days} timeZone={user.timeZone} />
        <Requests userId={user.id} />
      </div>
    </>
  );
}

function About({ user }: { user: DirectoryEntry }) {
  return (
    <>
      {user.name != null && `${user.email ?? user.id} · `}
      since <TimeAgo at={user.createdAt} /> · {user.timeZone}
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

function Requests({ userId }: { userId: string }) {
  const requests = useRequests({}, userId);
  const { open } = useSearch({ strict: false }) as { open?: string };
  const navigate = useNavigate();
  const close = () =>
    void navigate({
      to: ".",
      search: (({ open: _, ...rest }: { open?: string }) => rest) as never,
      resetScroll: false,
    });
  return (
    <Panel title="Requests" flush>
      <Loaded query={requests} skeleton={<Skeleton height={200} />}>
        {({ pages }) => {
          const found = pages.flatMap((page) => page.items);
          return found.length === 0 ? (
            <EmptyState title="No requests yet">What the app tracks for this user appears here.</EmptyState>
          ) : (
            <>
              <RequestsTable requests={found} isHere />
              <MoreRows {...requests} />
            </>
          );
        }}
      </Loaded>
      <RequestDrawer id={open} onClose={close} userId={userId} />
    </Panel>
  );
}
