import { Select, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { type UsersAsked, usePlansWithUsers, useUsers } from "@/api/admin";
import { EmptyState } from "@/shared/EmptyState";
import { IconSearch } from "@/shared/icons";
import { Loaded } from "@/shared/Loaded";
import { MoreRows } from "@/shared/MoreRows";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { UsersTable } from "./UsersTable";
import styles from "./users.module.css";

const PAUSE_MS = 300;
const STATES = [
  { value: "true", label: "Active" },
  { value: "false", label: "Switched off" },
];

/** Everybody: searched, sorted, and page by page. */
export function UsersPage() {
  const search = useSearch({ strict: false }) as UsersAsked;
  const navigate = useNavigate();
  const ask = (changes: UsersAsked) =>
    void navigate({
      to: ".",
      search: ((before: UsersAsked) => ({ ...before, ...changes })) as never,
      replace: true,
    });
  const users = useUsers(search);
  return (
    <>
      <PageHeader title="Users" about="Who uses your app, what they use, and what they may." />
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
  ask: (changes: UsersAsked) => void;
}

function UserFilters({ search, ask }: UserFiltersProps) {
  const [text, setText] = useState(search.q ?? "");
  const plans = usePlansWithUsers().data ?? [];
  const tell = useDebouncedCallback((q: string) => ask({ q }), PAUSE_MS);
  useEffect(() => setText(search.q ?? ""), [search.q]);
  return (
    <search className={styles.bar} aria-label="Filters">
      <TextInput
        className={styles.search ?? ""}
        size="xs"
        type="search"
        maxLength={200}
        aria-label="Search by address or name"
        placeholder="Search by address or name"
        leftSection={<IconSearch size={14} />}
        value={text}
        onChange={({ currentTarget: { value } }) => {
          setText(value);
          tell(value.trim());
        }}
      />
      <Select
        size="xs"
        aria-label="Plan"
        placeholder="Plan"
        clearable
        data={plans.map(({ name }) => name)}
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
