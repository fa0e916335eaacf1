import { useRef, useState } from "react";
import { useChangeAccount } from "@/api/account";
import type { Account } from "@/api/types";
import { Button } from "@/shared/Button";
import { Portrait } from "@/shared/Portrait";
import { type Question, useUnsavedOnPage } from "@/shared/useUnsaved";
import { pictureFrom } from "./picture";
import styles from "./settings.module.css";

const PICTURE: Question = {
  title: "Discard the picture?",
  about: "It is not yours yet: you have chosen it, and not pressed “Use this picture”.",
  stay: "Stay",
  go: "Discard",
};

/** One's picture: from a file, seen before it is kept. */
export function PictureField({ account }: { account: Account }) {
  const file = useRef<HTMLInputElement>(null);
  const change = useChangeAccount();
  const [chosen, setChosen] = useState<string | null>(null);
  const [isNone, setIsNone] = useState(false);
  const question = useUnsavedOnPage(chosen !== null, { question: PICTURE });
  const choose = async (from: File) => {
    const picture = await pictureFrom(from);
    setChosen(picture);
    setIsNone(picture === null);
  };
  const keep = (image: string | null) => change.mutate({ image }, { onSuccess: () => setChosen(null) });
  const problem = isNone ? "That file is no picture that this browser can read." : change.error?.detail;
  return (
    <>
      <div className={styles.picture}>
        <Portrait of={{ ...account, image: chosen ?? account.image }} size={64} />
        {chosen === null ? (
          <>
            <Button size="xs" variant="default" onClick={() => file.current?.click()}>
              {account.image === null ? "Choose a file …" : "Change …"}
            </Button>
            {account.image !== null && (
              <Button
                size="xs"
                variant="subtle"
                color="gray"
                loading={change.isPending}
                onClick={() => keep(null)}
              >
                Remove
              </Button>
            )}
          </>
        ) : (
          <>
            <Button size="xs" loading={change.isPending} onClick={() => keep(chosen)}>
              Use this picture
            </Button>
            <Button size="xs" variant="default" onClick={() => setChosen(null)}>
              Cancel
            </Button>
          </>
        )}
      </div>
      {problem !== undefined && (
        <p role="alert" className={styles.fault}>
          {problem}
        </p>
      )}
      <input
        ref={file}
        hidden
        type="file"
        accept="image/png,image/jpeg,image/webp"
        aria-label="A picture of you"
        onChange={({ currentTarget }) => {
          const from = currentTarget.files?.[0];
          if (from !== undefined) void choose(from);
          currentTarget.value = "";
        }}
      />
      {question}
    </>
  );
}
