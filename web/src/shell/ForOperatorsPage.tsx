import { useAccount, useStopActing } from "@/api/account";
import type { Account } from "@/api/types";
import { Button } from "@/shared/Button";
import { DeadEnd } from "./DeadEnd";
import { NotFoundPage } from "./NotFoundPage";

/** A page of operators, opened by somebody who is none, or by one who acts as somebody else; for operators there is none such. */
export function ForOperatorsPage() {
  const account = useAccount().data;
  if (account?.role === "admin") return <NotFoundPage />;
  if (account?.actingAs != null) return <WhileActing account={account} />;
  return (
    <DeadEnd title="For operators" said="This page is for operators">
      Here those who run this service look after its users. What is yours is on your own pages.
    </DeadEnd>
  );
}

function WhileActing({ account: { id, email } }: { account: Account }) {
  const stop = useStopActing(id);
  return (
    <DeadEnd
      title="For operators"
      said="You act as somebody else"
      action={
        <Button size="xs" loading={stop.isPending} onClick={() => stop.mutate()}>
          Stop acting
        </Button>
      }
    >
      As <bdi>{email}</bdi> you see what is theirs, and nothing of operators. Stop acting to come back here.
      {stop.error !== null && <span role="alert"> {stop.error.detail}</span>}
    </DeadEnd>
  );
}
