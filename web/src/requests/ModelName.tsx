import styles from "./requests.module.css";

// Of letters that stand each for itself, one after the other: others are not taken apart.
const PLAIN = /^[!-~]+$/;
const TAIL = 10;
const SHORT = 2 * TAIL;

/** A model's name; where it has no room its middle is left out, for dates and versions stand at the end. */
export function ModelName({ name }: { name: string }) {
  if (name.length <= SHORT || !PLAIN.test(name)) return <bdi>{name}</bdi>;
  return (
    <bdi>
      <span className={styles.beginning}>{name.slice(0, -TAIL)}</span>
      {name.slice(-TAIL)}
    </bdi>
  );
}
