import { Button, Select } from "@mantine/core";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type UsersAsked, useUsers } from "@/api/admin";
import { usePlans } from "@/api/plans";
import { headOf } from "@/places";
import { EmptyState } from "@/shared/EmptyState";
import { Loaded } from "@/shared/Loaded";
import { MoreRows } from "@/shared/MoreRows";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { planChoices } from "@/shared/planTitle";
import { SearchField } from "@/shared/SearchField";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { asked } from "./asked";
import { UsersTable } from "./UsersTable";
import styles from "./users.module.css";

const STATES = [
  { value: "true", label: "Active" },
  { value: "false", label: "Switched off" },
];

/** Everybody: searched, sorted, and page by page. */
export function UsersPage() {
  const search = asked(useSearch({ strict: false }));
  const navigate = useNavigate();
  const ask = (changes: UsersAsked, isSameStep = false) =>
    void navigate({
      to: ".",
      search: ((before: UsersAsked) => ({ ...before, ...changes })) as never,
      replace: isSameStep,
      resetScroll: false,
    });
  const users = useUsers(search);
  return (
    <>
      <PageHeader {...headOf("/admin/users")}>
        <Button component={Link} to="/admin/invitations" variant="default" size="xs">
          Invitations
        </Button>
      </PageHeader>
      <UserFilters search={search} ask={ask} />
      <Panel flush>
        <Loaded query={users} skeleton={<SkeletonRows rows={10} />}>
          {({ pages }) => {
            const found = pages.flatMap((page) => page.items);
            return found.length === 0 ? (
              <EmptyState title="Nobody matches">
                Search for a part of an address or a name. Users appear with the first request that your app
                tracks for them.
              </EmptyState>
            ) : (
              <>
                <UsersTable users={found} search={search} ask={ask} />
                <MoreRows {...users} />
              </>
            );
          }}
        </Loaded>
      </Panel>
    </>
  );
}

interface UserFiltersProps {
  search: UsersAsked;
  ask: (changes: UsersAsked, isSameStep?: boolean) => void;
}

function UserFilters({ search, ask }: UserFiltersProps) {
  const plans = usePlans().data ?? [];
  return (
    <search className={styles.bar} aria-label="Filters">
      <SearchField
        className={styles.search}
        label="Search by address or name"
        hint="Search by address or name"
        value={search.q}
        onSearch={(q, isSameStep) => ask({ q }, isSameStep)}
      />
      <Select
        size="xs"
        aria-label="Plan"
        placeholder="Plan"
        clearable
        data={planChoices(plans.map(({ name }) => name))}
        value={search.plan ?? null}
        onChange={(plan) => ask({ plan: plan ?? "" })}
      />
      <Select
        size="xs"
        aria-label="State"
        placeholder="State"
        clearable
        data={STATES}
        value={search.isActive ?? null}
        onChange={(isActive) => ask({ isActive: isActive ?? "" })}
      />
    </search>
  );
}
