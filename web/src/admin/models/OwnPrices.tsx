import { useDeletePrice, useOwnPrices } from "@/api/admin";
import { Button } from "@/shared/Button";
import { ErrorState } from "@/shared/ErrorState";
import { Loaded } from "@/shared/Loaded";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { dateOf } from "@/shared/times";
import styles from "./models.module.css";
import { priceText } from "./prices";

/** One's own prices of a model over time. */
export function OwnPrices({ model }: { model: string }) {
  const prices = useOwnPrices(model);
  const remove = useDeletePrice(model);
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
                    from {dateOf(effectiveFrom)}{" "}
                    <span className={styles.soft}>
                      in {priceText(each.input)}, out {priceText(each.output)}
                    </span>
                  </span>
                  <Button
                    size="compact-xs"
                    variant="default"
                    loading={remove.isPending && remove.variables === effectiveFrom}
                    onClick={() => remove.mutate(effectiveFrom)}
                  >
                    Take away
                  </Button>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      {remove.error !== null && <ErrorState problem={remove.error} />}
    </section>
  );
}
