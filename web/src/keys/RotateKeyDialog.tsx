import { Select } from "@mantine/core";
import { useState } from "react";
import { useRotateKey, type Whose } from "@/api/keys";
import type { ApiKey, KeyMade } from "@/api/types";
import { Button } from "@/shared/Button";
import { Dialog } from "@/shared/Dialog";
import dialog from "@/shared/Dialog.module.css";
import { ErrorState } from "@/shared/ErrorState";
import { KeyShown } from "./KeyShown";
import { OVERLAPS, USUAL_OVERLAP } from "./terms";

interface OneKeyProps {
  whose: Whose;
  of: ApiKey;
  onClose: () => void;
}

/** A new key in place of an old one, which works on for a while so that nothing stands still. */
export function RotateKeyDialog({ whose, of: { id, name }, onClose }: OneKeyProps) {
  const rotate = useRotateKey(whose, id);
  const [overlap, setOverlap] = useState(USUAL_OVERLAP);
  const [made, setMade] = useState<KeyMade | null>(null);
  if (made !== null) return <KeyShown made={made} onClose={onClose} />;
  return (
    <Dialog
      title={
        <>
          Rotate “<bdi>{name}</bdi>”?
        </>
      }
      onClose={onClose}
    >
      <p className={dialog.about}>
        A new key is made that may do the same and lasts as long. The old one works on until you have put the
        new one in its place.
      </p>
      <Select
        label="The old key works for"
        data={OVERLAPS}
        allowDeselect={false}
        value={overlap}
        onChange={(chosen) => setOverlap(chosen ?? overlap)}
      />
      {rotate.error !== null && <ErrorState problem={rotate.error} />}
      <div className={dialog.buttons}>
        <Button
          size="xs"
          loading={rotate.isPending}
          onClick={() => rotate.mutate(Number(overlap), { onSuccess: setMade })}
        >
          Rotate
        </Button>
        <Button size="xs" variant="default" onClick={onClose}>
          Cancel
        </Button>
      </div>
    </Dialog>
  );
}
