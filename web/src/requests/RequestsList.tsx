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
  isNarrowed: boolean;
  widen: (names?: readonly (keyof Narrowed)[]) => void;
  isOwn?: boolean;
}

/** The requests that were found, and the way to more of them. */
export function RequestsList({ requests, isNarrowed, widen, isOwn = true }: RequestsListProps) {
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
          const searchedTo = last?.nextCursor ? last.searchedTo : undefined;
          return (
            <div className={styles.found} data-old={requests.isPlaceholderData}>
              {found.length > 0 && <RequestsTable requests={found} isHere />}
              {found.length === 0 && !searchedTo && (
                <Nothing isNarrowed={isNarrowed} widen={widen} isOwn={isOwn} />
              )}
              <MoreRows {...requests} label={searchedTo ? "Search on" : "Show more"}>
                {searchedTo ? (
                  <span role="status">
                    {found.length === 0 ? "Nothing matches yet. " : ""}Searched back to{" "}
                    {shortTime(searchedTo)}.
                  </span>
                ) : undefined}
              </MoreRows>
            </div>
          );
        }}
      </Loaded>
    </Panel>
  );
}

function Nothing({ isNarrowed, widen, isOwn }: Omit<Required<RequestsListProps>, "requests">) {
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
