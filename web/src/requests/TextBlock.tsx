import { lazy, Suspense, useState } from "react";
import { CopyButton } from "@/shared/CopyButton";
import { count } from "@/shared/format";
import { emptiness, isBlank } from "@/shared/visible";
import styles from "./RequestDrawer.module.css";
import { useTextForm } from "./useTextForm";

const Markdown = lazy(() => import("./Markdown"));

const LONG = 6_000;

interface TextBlockProps {
  title: string;
  text: string | null | undefined;
  /** What is said where none is kept. */
  none: string;
}

/** What people and models wrote, as the text that it is or as Markdown; of a long one the beginning first. */
export function TextBlock({ title, text, none }: TextBlockProps) {
  const [form] = useTextForm();
  const [isWhole, setIsWhole] = useState(false);
  if (!text || isBlank(text))
    return (
      <section>
        <h3>{title}</h3>
        <p className={styles.note}>{text == null ? none : `${emptiness(text)}.`}</p>
      </section>
    );
  const shown = isWhole ? text : text.slice(0, LONG);
  return (
    <section>
      <div className={styles.textHead}>
        <h3>{title}</h3>
        <CopyButton text={text} label={`Copy the ${title.toLowerCase()}`} />
      </div>
      {form === "text" ? (
        <div className={styles.text} data-plain>
          {shown}
        </div>
      ) : (
        <div className={styles.text}>
          <Suspense fallback={shown}>
            <Markdown text={shown} />
          </Suspense>
        </div>
      )}
      {text.length > LONG && (
        <button type="button" className={styles.more} onClick={() => setIsWhole(!isWhole)}>
          {isWhole ? "Show less" : `Show all ${count(text.length)} characters`}
        </button>
      )}
    </section>
  );
}
