import type { Invitation } from "@/api/types";

/** What an operator is about to do to the list of invitations. */
export type Doing =
  | { what: "invite"; again?: Invitation }
  | { what: "revoke"; invitation: Invitation }
  | null;
