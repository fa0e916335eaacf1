import { Button } from "@mantine/core";
import { useState } from "react";
import { useInvitations } from "@/api/invitations";
import { headOf } from "@/places";
import { EmptyState } from "@/shared/EmptyState";
import { IconPlus } from "@/shared/icons";
import { Loaded } from "@/shared/Loaded";
import { MoreRows } from "@/shared/MoreRows";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { SkeletonRows } from "@/shared/SkeletonRows";
import type { Doing } from "./doing";
import { InvitationsTable } from "./InvitationsTable";
import { InviteDialog } from "./InviteDialog";
import { RevokeInvitation } from "./RevokeInvitation";

/** Whom operators let sign up: invited, told, and taken back. */
export function InvitationsPage() {
  const invitations = useInvitations();
  const [doing, setDoing] = useState<Doing>(null);
  const close = () => setDoing(null);
  const invite = (
    <Button size="xs" leftSection={<IconPlus size={14} />} onClick={() => setDoing({ what: "invite" })}>
      Invite somebody
    </Button>
  );
  return (
    <>
      <PageHeader {...headOf("/admin/invitations")}>{invite}</PageHeader>
      <Panel flush>
        <Loaded query={invitations} skeleton={<SkeletonRows rows={4} />}>
          {({ pages }) => {
            const found = pages.flatMap(({ items }) => items);
            const link = pages[0]?.isMailed === false ? pages[0].url : null;
            return found.length === 0 ? (
              <EmptyState title="Nobody is invited">
                Who is invited signs up with their address, onto the plan that you choose, within 14 days.
              </EmptyState>
            ) : (
              <InvitationsTable invitations={found} link={link} act={setDoing} />
            );
          }}
        </Loaded>
        <MoreRows {...invitations} />
      </Panel>
      {doing?.what === "invite" && <InviteDialog again={doing.again} onClose={close} />}
      {doing?.what === "revoke" && <RevokeInvitation of={doing.invitation} onClose={close} />}
    </>
  );
}
