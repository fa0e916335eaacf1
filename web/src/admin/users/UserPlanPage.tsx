import { useGrants, useOverrides, usePlanHistory, usePlanOf } from "@/api/planOfUser";
import type { DirectoryEntry } from "@/api/types";
import { Grants } from "./plan/Grants";
import { Overrides } from "./plan/Overrides";
import { PlanHistory } from "./plan/PlanHistory";
import { PlanOutline, UsersPlan } from "./plan/UsersPlan";
import { UserFrame } from "./UserFrame";

/** One user's plan, what is excepted from it, and the plans that they had. */
export function UserPlanPage() {
  return <UserFrame tab={(who) => `Plan of ${who}`}>{(user) => <Found user={user} />}</UserFrame>;
}

function Found({ user }: { user: DirectoryEntry }) {
  const all = [usePlanOf(user.id), useGrants(user.id), useOverrides(user.id), usePlanHistory(user.id)];
  // How high each will be is not known before: all come at once, so that nothing moves.
  if (all.some(({ isPending }) => isPending)) return <PlanOutline />;
  return (
    <>
      <UsersPlan user={user} />
      <Grants userId={user.id} />
      <Overrides userId={user.id} />
      <PlanHistory userId={user.id} />
    </>
  );
}
