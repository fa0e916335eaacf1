import { Checkbox, Select, Textarea, TextInput } from "@mantine/core";
import type { ReactNode } from "react";
import { isMoney, LIMITS } from "@/admin/limits";
import type { Draft } from "./draft";
import styles from "./plans.module.css";
import { CHOICES, labelOf } from "./words";

// Fields stand in a line, however long what is said of each.
const ORDER: ("label" | "input" | "description" | "error")[] = ["label", "input", "description", "error"];

interface PlanFieldsProps {
  draft: Draft;
  isNew: boolean;
  faultOf: (field: keyof Draft) => string | undefined;
  onType: (changes: Partial<Draft>) => void;
}

/** All that can be said of a plan. */
export function PlanFields({ draft, isNew, faultOf, onType }: PlanFieldsProps) {
  type Written = { [Name in keyof Draft]: Draft[Name] extends string ? Name : never }[keyof Draft];
  const field = (name: Written) => ({
    size: "xs" as const,
    inputWrapperOrder: ORDER,
    label: labelOf(name),
    value: draft[name],
    error: faultOf(name),
    onChange: ({ currentTarget: { value } }: { currentTarget: { value: string } }) =>
      onType({ [name]: value }),
  });
  const choice = (name: keyof typeof CHOICES, description?: string) => (
    <Select
      size="xs"
      inputWrapperOrder={ORDER}
      label={labelOf(name)}
      description={description}
      data={CHOICES[name]}
      allowDeselect={false}
      value={draft[name]}
      error={faultOf(name)}
      onChange={(chosen) => onType({ [name]: chosen ?? draft[name] })}
    />
  );
  return (
    <>
      <Group>
        {isNew && (
          <TextInput
            {...field("name")}
            label="Name"
            description="Small letters, digits, - and _. It stays."
            data-autofocus
            maxLength={50}
          />
        )}
        <TextInput
          {...field("rank")}
          description="The order in which plans grow; each has its own."
          inputMode="numeric"
        />
      </Group>
      <Group title="Limits" about="Left empty there is none; 0 allows nothing.">
        {LIMITS.map(({ name }) => (
          <TextInput
            key={name}
            {...field(name)}
            inputMode="decimal"
            placeholder="No limit"
            leftSection={isMoney(name) ? "$" : undefined}
          />
        ))}
      </Group>
      <Group title="Price and trial">
        <TextInput {...field("pricePerMonth")} inputMode="decimal" />
        <TextInput {...field("pricePerYear")} inputMode="decimal" placeholder="Not sold by the year" />
        <TextInput {...field("currency")} maxLength={3} placeholder="usd" />
        {choice("billingCycle")}
        <TextInput {...field("trialDays")} label="Trial, in days" inputMode="numeric" placeholder="0" />
        <Checkbox
          className={styles.check ?? ""}
          size="xs"
          label="Users may take it by themselves"
          checked={draft.selfService}
          onChange={({ currentTarget }) => onType({ selfService: currentTarget.checked })}
        />
        <TextInput
          {...field("stripePriceMonthly")}
          description="Where it is sold at Stripe: the price that means it."
          placeholder="price_…"
          maxLength={255}
          spellCheck={false}
        />
        <TextInput {...field("stripePriceYearly")} placeholder="price_…" maxLength={255} spellCheck={false} />
      </Group>
      <Group title="What it includes">
        <Textarea
          {...field("features")}
          description="One a line: a type of request, model:NAME, or your own. * is everything."
          autosize
          minRows={3}
          maxRows={10}
          spellCheck={false}
          className={styles.mono ?? ""}
        />
        <Textarea
          {...field("entitlements")}
          description='For your app to ask, one a line: projects = 10, regions = ["eu", "us"]'
          autosize
          minRows={3}
          maxRows={10}
          spellCheck={false}
          className={styles.mono ?? ""}
        />
      </Group>
      <Group title="Rules">
        {choice("period", "In which limits a month count.")}
        <TextInput
          {...field("rolloverPercent")}
          label="Rollover, in percent"
          description="Of what a month leaves unused, for the next."
          inputMode="numeric"
          placeholder="0"
        />
        {choice("refund", "Where a trusted app tells that they failed.")}
        {choice("onUnavailable", "What clients do with requests.")}
        <TextInput
          {...field("warnAt")}
          label="Warned at, in percent"
          description="Of limits. That one is reached is told in any case."
          placeholder="100"
        />
      </Group>
      <Group title="Texts" about="This holds for everybody on the plan at once.">
        {choice("textPolicy")}
        <TextInput
          {...field("retainTextDays")}
          label="Kept for, in days"
          inputMode="numeric"
          placeholder="As long as requests"
        />
      </Group>
    </>
  );
}

interface GroupProps {
  title?: string;
  about?: string;
  children: ReactNode;
}

function Group({ title, about, children }: GroupProps) {
  return (
    <fieldset className={styles.group}>
      {title !== undefined && (
        <legend>
          {title} {about !== undefined && <span className={styles.soft}>{about}</span>}
        </legend>
      )}
      <div className={styles.fields}>{children}</div>
    </fieldset>
  );
}
