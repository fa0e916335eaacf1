import { TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { usePutPrice } from "@/api/admin";
import type { NewPrice } from "@/api/types";
import { Button } from "@/shared/Button";
import { ErrorState } from "@/shared/ErrorState";
import { beginOfDay } from "@/shared/times";
import { dollarsIn, faultAt, howToWrite } from "@/shared/typed";
import styles from "./models.module.css";
import { KINDS } from "./prices";

type Typed = Partial<Record<keyof NewPrice, string>>;

interface PriceFormProps {
  model: string;
  /** Hears whether it holds something that is not set yet. */
  onTyped: (isTyped: boolean) => void;
}

/** Sets a price of one's own, in dollars. */
export function PriceForm({ model, onTyped }: PriceFormProps) {
  const put = usePutPrice(model);
  const [typed, setTyped] = useState<Typed>({});
  const [faults, setFaults] = useState<Typed>({});
  const type = (now: Typed) => {
    setTyped(now);
    onTyped(Object.values(now).some((text) => text.trim() !== ""));
  };
  useEffect(() => () => onTyped(false), [onTyped]);
  const set = () => {
    const read = readPrice(typed);
    setFaults(read.faults);
    if (Object.keys(read.faults).length === 0) put.mutate(read.price, { onSuccess: () => type({}) });
  };
  const field = (name: keyof NewPrice) => ({
    size: "xs" as const,
    value: typed[name] ?? "",
    error: faults[name] ?? faultAt(put.error, name),
    onChange: ({ currentTarget: { value } }: { currentTarget: { value: string } }) =>
      type({ ...typed, [name]: value }),
  });
  return (
    <section>
      <h3>Set a price</h3>
      <form
        className={styles.form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          set();
        }}
      >
        {KINDS.map(({ name, label, about }) => (
          <TextInput
            key={name}
            label={label}
            description={about}
            inputMode="decimal"
            leftSection="$"
            required={isNeeded(name)}
            withAsterisk={false}
            {...field(name)}
          />
        ))}
        <TextInput
          label="From"
          description="leave empty for all time"
          type="date"
          {...field("effectiveFrom")}
        />
        <div className={styles.buttons}>
          <Button type="submit" size="xs" loading={put.isPending}>
            Set
          </Button>
          <span role="status" className={styles.soft}>
            {put.isSuccess ? "Set. It counts for new requests." : ""}
          </span>
        </div>
      </form>
      {put.error !== null && put.error.faults.length === 0 && <ErrorState problem={put.error} />}
    </section>
  );
}

const isNeeded = (kind: keyof NewPrice): boolean => kind === "input" || kind === "output";

interface Read {
  price: NewPrice;
  faults: Typed;
}

/** What is typed as the API has it: dollars with all of their digits; and what is no money. */
function readPrice({ effectiveFrom = "", ...typed }: Typed): Read {
  const price: Partial<NewPrice> = effectiveFrom === "" ? {} : { effectiveFrom: beginOfDay(effectiveFrom) };
  const faults: Typed = {};
  for (const { name } of KINDS) {
    const text = typed[name] ?? "";
    const dollars = dollarsIn(text);
    if (dollars === null && isNeeded(name)) faults[name] = "write how much; 0 is free";
    else if (dollars === undefined) faults[name] = howToWrite(text);
    else if (dollars?.startsWith("-")) faults[name] = "write 0 or more";
    else if (dollars !== null) price[name] = dollars;
  }
  return { price: price as NewPrice, faults };
}
