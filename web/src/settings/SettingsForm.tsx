import { SegmentedControl, Select, useMantineColorScheme } from "@mantine/core";
import { useState } from "react";
import { useChangeSettings } from "@/api/settings";
import type { Settings } from "@/api/types";
import { Button } from "@/shared/Button";
import { ErrorState } from "@/shared/ErrorState";
import { faultOfPercents, percentsOf } from "@/shared/percents";
import { PERIODS } from "@/shared/period";
import { useUnsavedOnPage } from "@/shared/useUnsaved";
import { Mails } from "./Mails";
import { Row } from "./Row";
import styles from "./settings.module.css";
import { WarnAt } from "./WarnAt";
import { meant, ZONES } from "./zones";

interface Changeable extends Pick<Settings, "timeZone" | "theme" | "daysShown" | "emailAlerts"> {
  /** As it is typed. */
  warnAt: string | null;
}

const THEMES = [
  { value: "auto", label: "As the system" },
  { value: "light", label: "Light" },
  { value: "dark", label: "Dark" },
];

/** What can be set, kept together by one button. */
export function SettingsForm({ kept }: { kept: Settings }) {
  const change = useChangeSettings();
  const { setColorScheme } = useMantineColorScheme();
  const [wanted, setWanted] = useState<Partial<Changeable>>({});
  const shown: Changeable = {
    ...kept,
    timeZone: kept.nextTimeZone ?? kept.timeZone,
    warnAt: kept.warnAt?.join(", ") ?? null,
    ...wanted,
  };
  const set = (part: Partial<Changeable>) => setWanted((before) => ({ ...before, ...part }));
  // Of a list each item may be at fault.
  const faultOf = (name: string) =>
    change.error?.faults.find(({ field }) => field.replace(/\[.*/, "") === name)?.message;
  const warnFault = shown.warnAt === null ? undefined : faultOfPercents(shown.warnAt);
  const save = () => {
    const { warnAt, ...others } = wanted;
    const warnings = warnAt === undefined ? {} : { warnAt: warnAt === null ? null : percentsOf(warnAt) };
    change.mutate({ ...others, ...warnings }, { onSuccess: () => setWanted({}) });
  };
  const hasChanges = Object.keys(wanted).length > 0;
  const question = useUnsavedOnPage(hasChanges);
  return (
    <form
      className={styles.form}
      onSubmit={(event) => {
        event.preventDefault();
        if (warnFault === undefined) save();
      }}
    >
      <Row label="Time zone" about="Your days and months begin at midnight there.">
        <Select
          aria-label="Time zone"
          searchable
          filter={meant}
          nothingFoundMessage="No zone matches"
          data={ZONES.includes(shown.timeZone) ? ZONES : [shown.timeZone, ...ZONES]}
          value={shown.timeZone}
          allowDeselect={false}
          error={faultOf("timeZone")}
          onChange={(timeZone) => timeZone !== null && set({ timeZone })}
        />
        {kept.nextTimeZone != null && (
          <p className={styles.note}>
            {kept.timeZone} holds until the current day ends; {kept.nextTimeZone} from then on.
          </p>
        )}
      </Row>
      <Row label="Theme" about="In every browser in which you are signed in.">
        <SegmentedControl
          aria-label="Theme"
          data={THEMES}
          value={shown.theme}
          onChange={(chosen) => {
            const theme = chosen as Settings["theme"];
            setColorScheme(theme);
            set({ theme });
          }}
        />
      </Row>
      <Row label="Days shown" about="How far the overview looks back at first.">
        <SegmentedControl
          aria-label="Days shown"
          data={PERIODS.filter((days) => days > 1).map((days) => ({
            value: String(days),
            label: String(days),
          }))}
          value={String(shown.daysShown)}
          onChange={(days) => set({ daysShown: Number(days) as Settings["daysShown"] })}
        />
      </Row>
      <WarnAt
        own={shown.warnAt}
        plan={kept.planWarnAt}
        fault={warnFault ?? faultOf("warnAt")}
        onChange={(warnAt) => set({ warnAt })}
      />
      <Mails wanted={shown.emailAlerts} onChange={(emailAlerts) => set({ emailAlerts })} />
      {change.error !== null && change.error.faults.length === 0 && <ErrorState problem={change.error} />}
      <footer className={styles.foot}>
        <Button type="submit" size="xs" disabled={!hasChanges} loading={change.isPending}>
          Save changes
        </Button>
        <span role="status">{change.isSuccess && !hasChanges ? "Saved." : ""}</span>
      </footer>
      {question}
    </form>
  );
}
