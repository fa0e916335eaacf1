import { useReprice } from "@/api/admin";
import type { Repriced } from "@/api/types";
import { Button } from "@/shared/Button";
import difference from "@/shared/Difference.module.css";
import { ErrorState } from "@/shared/ErrorState";
import { costOf, count, counted, isUnknown, money, NONE } from "@/shared/format";
import styles from "./models.module.css";

/** Prices what is past anew; first it shows what that would change. */
export function Reprice({ model }: { model: string }) {
  const reprice = useReprice(model);
  const shown = reprice.data;
  const isWorking = (apply: boolean) => reprice.isPending && reprice.variables.apply === apply;
  const isPreview = shown !== undefined && !shown.applied;
  return (
    <section>
      <h3>Past requests</h3>
      <p className={styles.soft}>
        They keep the cost that they had. Priced anew, each gets the price of its own time; a cost that an app
        reported stays.
      </p>
      {shown !== undefined && <Difference of={shown} />}
      <div className={styles.buttons}>
        <Button
          size="xs"
          variant="default"
          loading={isWorking(false)}
          onClick={() => reprice.mutate({ apply: false })}
        >
          Preview
        </Button>
        {isPreview && shown.changed > 0 && (
          <Button size="xs" loading={isWorking(true)} onClick={() => reprice.mutate({ apply: true })}>
            Price {counted(shown.changed, "request")} anew
          </Button>
        )}
      </div>
      {reprice.error !== null && <ErrorState problem={reprice.error} />}
    </section>
  );
}

function Difference({ of }: { of: Repriced }) {
  const by = of.costAfter - of.costBefore;
  const isKnown = !isUnknown(of.costBefore, of.unpricedBefore) && !isUnknown(of.costAfter, of.unpricedAfter);
  return (
    <table className={difference.table}>
      <caption>
        {of.applied
          ? `Done: ${count(of.changed)} of ${counted(of.requests, "request")} ${of.changed === 1 ? "has" : "have"} changed.`
          : `${count(of.changed)} of ${counted(of.requests, "request")} would change.`}
      </caption>
      <thead>
        <tr>
          <td />
          <th scope="col">Before</th>
          <th scope="col">After</th>
          <th scope="col">Difference</th>
        </tr>
      </thead>
      <tbody>
        <tr>
          <th scope="row">Cost</th>
          <td>{costOf(of.costBefore, of.unpricedBefore)}</td>
          <td>{costOf(of.costAfter, of.unpricedAfter)}</td>
          <td>{isKnown ? `${by > 0 ? "+" : ""}${money(by)}` : NONE}</td>
        </tr>
        <tr>
          <th scope="row">Without a price</th>
          <td>{count(of.unpricedBefore)}</td>
          <td>{count(of.unpricedAfter)}</td>
          <td>{count(of.unpricedAfter - of.unpricedBefore)}</td>
        </tr>
      </tbody>
    </table>
  );
}
