import { useUsersDashboard } from "@/api/admin";
import type { DirectoryEntry } from "@/api/types";
import { LimitMeters, LimitMetersSkeleton } from "@/overview/LimitMeters";
import { Loaded } from "@/shared/Loaded";
import { PeriodChoice } from "@/shared/PeriodChoice";
import { useDays } from "@/shared/period";
import { UsageSection } from "@/usage/UsageSection";
import { DeleteUser } from "./DeleteUser";
import { Note } from "./Note";
import { UserFrame } from "./UserFrame";
import { UsersRequests } from "./UsersRequests";

/** One user: what they see, what operators note of them, and their end. */
export function UserPage() {
  const [days, setDays] = useDays();
  return (
    <UserFrame tab={(who) => who} actions={<PeriodChoice days={days} onChange={setDays} />}>
      {(user) => <Found user={user} />}
    </UserFrame>
  );
}

function Found({ user }: { user: DirectoryEntry }) {
  const dashboard = useUsersDashboard(user.id);
  const [days] = useDays();
  return (
    <>
      <Loaded query={dashboard} skeleton={<LimitMetersSkeleton />}>
        {({ limits }) => <LimitMeters limits={limits} userId={user.id} />}
      </Loaded>
      <Note user={user} />
      <UsageSection whose={{ user: user.id }} days={days} timeZone={user.timeZone} />
      <UsersRequests userId={user.id} known={dashboard.data} />
      <DeleteUser user={user} />
    </>
  );
}
