import { Button } from "@mantine/core";
import type { useRequests } from "@/api/requests";
import { EmptyState } from "@/shared/EmptyState";
import { Loaded } from "@/shared/Loaded";
import { isMisunderstood, Misunderstood } from "@/shared/Misunderstood";
import { MoreRows } from "@/shared/MoreRows";
import { Panel } from "@/shared/Panel";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { shortTime } from "@/shared/times";
import { LABELS, WANTED } from "./labels";
import type { Narrowed } from "./narrowed";
import { RequestsTable } from "./RequestsTable";
import styles from "./requests.module.css";

interface RequestsListProps {
  requests: ReturnType<typeof useRequests>;
  search: Narrowed;
  isNarrowed: boolean;
  widen: (names?: readonly (keyof Narrowed)[]) => void;
  isOwn?: boolean;
}

/** The requests that were found, and the way to more of them. */
export function RequestsList({ requests, search, isNarrowed, widen, isOwn = true }: RequestsListProps) {
  if (isMisunderstood(requests.error, LABELS))
    return (
      <Panel>
        <Misunderstood problem={requests.error} labels={LABELS} wanted={WANTED} widen={widen} />
      </Panel>
    );
  return (
    <Panel flush>
      <Loaded query={requests} skeleton={<SkeletonRows rows={10} />}>
        {({ pages }) => {
          const found = pages.flatMap((page) => page.items);
          const last = pages.at(-1);
          const { searchedTo, nextCursor } = last ?? {};
          const isCut = Boolean(searchedTo && nextCursor) && search.sort === undefined;
          return (
            <div className={styles.found} data-old={requests.isPlaceholderData}>
              {found.length > 0 && <RequestsTable requests={found} isHere />}
              {found.length === 0 && !isCut && (
                <Nothing isNarrowed={isNarrowed} widen={widen} isOwn={isOwn} />
              )}
              <MoreRows {...requests} label={isCut ? "Search on" : "Show more"}>
                {searchedTo && (isCut || search.sort) ? (
                  <HowFar to={searchedTo} search={search} isNothing={found.length === 0} />
                ) : undefined}
              </MoreRows>
            </div>
          );
        }}
      </Loaded>
    </Panel>
  );
}

interface HowFarProps {
  to: string;
  search: Narrowed;
  isNothing: boolean;
}

/** How much of a long history was looked at. */
function HowFar({ to, search: { sort, order }, isNothing }: HowFarProps) {
  const at = shortTime(to);
  if (sort !== undefined)
    return (
      <span role="status">Only what started since {at} is sorted. Choose a time to sort older ones.</span>
    );
  return (
    <span role="status">
      {isNothing ? "Nothing matches yet. " : ""}
      {order === "asc" ? `Searched up to ${at}.` : `Searched back to ${at}.`}
    </span>
  );
}

function Nothing({ isNarrowed, widen, isOwn }: Omit<Required<RequestsListProps>, "requests" | "search">) {
  if (!isNarrowed && !isOwn)
    return <EmptyState title="No requests yet">What the app tracks for this user appears here.</EmptyState>;
  if (!isNarrowed)
    return (
      <EmptyState title="No requests yet" action={<a href="/docs#start_tracking">How an app tracks one</a>}>
        As soon as your app asks for you, the request appears here.
      </EmptyState>
    );
  return (
    <EmptyState
      title="No request matches"
      action={
        <Button variant="default" size="xs" onClick={() => widen()}>
          Clear filters
        </Button>
      }
    >
      Take a filter away, or look at a longer time.
    </EmptyState>
  );
}
