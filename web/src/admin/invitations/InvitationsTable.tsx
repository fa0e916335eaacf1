import type { Invitation } from "@/api/types";
import { Tag } from "@/shared/badges";
import { CopyButton } from "@/shared/CopyButton";
import { NONE } from "@/shared/format";
import { IconRotate, IconTrash } from "@/shared/icons";
import { planTitle } from "@/shared/planTitle";
import { RowAction, RowActions } from "@/shared/RowActions";
import badges from "@/shared/shared.module.css";
import { type Column, Table } from "@/shared/Table";
import { TimeAgo } from "@/shared/TimeAgo";
import { exactTime } from "@/shared/times";
import type { Doing } from "./doing";

interface InvitationsTableProps {
  invitations: Invitation[];
  /** What operators pass on themselves, where no mail does. */
  link: string | null;
  act: (doing: Doing) => void;
}

/** Invitations, one a row. */
export function InvitationsTable({ invitations, link, act }: InvitationsTableProps) {
  return <Table rows={invitations} columns={columns(link, act)} keyOf={({ id }) => id} />;
}

const STATES = {
  open: { tone: "waiting", word: "Open" },
  used: { tone: "good", word: "Used" },
  expired: { tone: "off", word: "Expired" },
  revoked: { tone: "off", word: "Revoked" },
};

const columns = (link: string | null, act: (doing: Doing) => void): Column<Invitation>[] => [
  { label: "Address", kind: "wide", of: ({ email }) => email },
  { label: "Plan", of: ({ plan }) => <Tag>{planTitle(plan)}</Tag> },
  {
    label: "State",
    of: ({ status }) => (
      <span className={badges.badge} data-tone={STATES[status].tone}>
        {STATES[status].word}
      </span>
    ),
  },
  { label: "Invited", isSoft: true, of: ({ createdAt }) => <TimeAgo at={createdAt} /> },
  {
    label: "Holds until",
    isSoft: true,
    unit: "it ends",
    isNone: ({ status }) => status !== "open",
    title: ({ expiresAt, status }) => (status === "open" ? exactTime(expiresAt) : undefined),
    of: ({ expiresAt, status }) => (status === "open" ? <TimeAgo at={expiresAt} /> : NONE),
  },
  {
    label: "Actions",
    heading: <span className="visually-hidden">Actions</span>,
    of: (invitation) => <Actions of={invitation} link={link} act={act} />,
  },
];

interface ActionsProps {
  of: Invitation;
  link: string | null;
  act: (doing: Doing) => void;
}

function Actions({ of: invitation, link, act }: ActionsProps) {
  const { email, status } = invitation;
  return (
    <RowActions>
      {status === "open" && link !== null && <CopyButton text={link} label={`Copy the link for ${email}`} />}
      {status === "open" && (
        <RowAction
          does="Revoke"
          label={`Revoke the invitation of ${email}`}
          onClick={() => act({ what: "revoke", invitation })}
        >
          <IconTrash />
        </RowAction>
      )}
      {(status === "expired" || status === "revoked") && (
        <RowAction
          does="Invite again"
          label={`Invite ${email} again`}
          onClick={() => act({ what: "invite", again: invitation })}
        >
          <IconRotate />
        </RowAction>
      )}
    </RowActions>
  );
}
