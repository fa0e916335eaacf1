import { useState } from "react";
import { useDeletePrice, useOwnPrices } from "@/api/admin";
import { AskFirst } from "@/shared/AskFirst";
import { Button } from "@/shared/Button";
import { Loaded } from "@/shared/Loaded";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { dateOf } from "@/shared/times";
import styles from "./models.module.css";
import { priceText } from "./prices";

/** One's own prices of a model over time. */
export function OwnPrices({ model }: { model: string }) {
  const prices = useOwnPrices(model);
  const [asked, setAsked] = useState<string>();
  return (
    <section>
      <h3>Own prices</h3>
      <Loaded query={prices} skeleton={<SkeletonRows rows={1} />}>
        {(found) =>
          found.length === 0 ? (
            <p className={styles.soft}>None: the public list counts, where it names the model.</p>
          ) : (
            <ul className={styles.own}>
              {found.map(({ effectiveFrom, prices: each }) => (
                <li key={effectiveFrom}>
                  <span>
                    {since(effectiveFrom)}{" "}
                    <span className={styles.soft}>
                      in {priceText(each.input)}, out {priceText(each.output)}
                    </span>
                  </span>
                  <Button size="compact-sm" variant="default" onClick={() => setAsked(effectiveFrom)}>
                    Take away
                  </Button>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      {asked !== undefined && (
        <TakeAway model={model} effectiveFrom={asked} onClose={() => setAsked(undefined)} />
      )}
    </section>
  );
}

/** From when a price holds; one without a beginning comes as from the first instant that there is. */
const since = (effectiveFrom: string): string =>
  Date.parse(effectiveFrom) === 0 ? "for all time" : `from ${dateOf(effectiveFrom)}`;

interface TakeAwayProps {
  model: string;
  effectiveFrom: string;
  onClose: () => void;
}

/** Asks first. */
function TakeAway({ model, effectiveFrom, onClose }: TakeAwayProps) {
  const remove = useDeletePrice(model);
  const act = {
    ...remove,
    mutate: (_: undefined, then: { onSuccess: () => void }) => remove.mutate(effectiveFrom, then),
  };
  return (
    <AskFirst
      title={`Take away the price that holds ${since(effectiveFrom)}?`}
      verb="Take away"
      act={act}
      onClose={onClose}
    >
      <p>
        From now on the price before it counts, or the public list. Past requests keep what they cost until
        they are priced anew.
      </p>
    </AskFirst>
  );
}
