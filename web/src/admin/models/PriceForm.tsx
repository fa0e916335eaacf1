import { Button, TextInput } from "@mantine/core";
import { useState } from "react";
import { usePutPrice } from "@/api/admin";
import type { NewPrice } from "@/api/types";
import { ErrorState } from "@/shared/ErrorState";
import { beginOfDay } from "@/shared/times";
import styles from "./models.module.css";
import { KINDS } from "./prices";

type Typed = Partial<Record<keyof NewPrice, string>>;

/** Sets a price of one's own, in dollars. */
export function PriceForm({ model }: { model: string }) {
  const put = usePutPrice(model);
  const [typed, setTyped] = useState<Typed>({});
  const faultOf = (field: string) => put.error?.faults.find((fault) => fault.field === field)?.message;
  const field = (name: keyof NewPrice) => ({
    size: "xs" as const,
    value: typed[name] ?? "",
    error: faultOf(name),
    onChange: ({ currentTarget: { value } }: { currentTarget: { value: string } }) =>
      setTyped((before) => ({ ...before, [name]: value })),
  });
  return (
    <section>
      <h3>Set a price</h3>
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          put.mutate(asPrice(typed), { onSuccess: () => setTyped({}) });
        }}
      >
        {KINDS.map(({ name, label, about }) => (
          <TextInput
            key={name}
            label={label}
            description={about}
            inputMode="decimal"
            leftSection="$"
            required={name === "input" || name === "output"}
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

function asPrice({ effectiveFrom, ...typed }: Typed): NewPrice {
  const given = Object.fromEntries(
    Object.entries(typed)
      .map(([name, text]) => [name, text.trim()] as const)
      .filter(([, text]) => text !== ""),
  );
  return { ...given, ...(effectiveFrom ? { effectiveFrom: beginOfDay(effectiveFrom) } : {}) } as NewPrice;
}
