import { useAct } from "@/api/act";
import { confirmation } from "@/api/confirmation";
import { signInByPasskey } from "@/api/passkeys";
import { Button } from "@/shared/Button";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";
import { IconPasskey } from "@/shared/icons";

/** Sign in anew by a passkey. */
export function ByPasskey({ onDone, onOther }: { onDone: () => void; onOther: () => void }) {
  const use = useAct({ mutationFn: signInByPasskey, onSuccess: onDone });
  return (
    <>
      {use.error !== null && <ErrorState problem={use.error} />}
      <div className={dialog.buttons}>
        <Button
          size="xs"
          data-autofocus
          leftSection={<IconPasskey />}
          loading={use.isPending}
          onClick={() => use.mutate()}
        >
          Use a passkey
        </Button>
        <Button size="xs" variant="default" onClick={onOther}>
          By e-mail instead
        </Button>
        <Button size="xs" variant="subtle" color="gray" onClick={() => confirmation.answer(false)}>
          Cancel
        </Button>
      </div>
    </>
  );
}
