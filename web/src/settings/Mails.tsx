import { Switch } from "@mantine/core";
import type { Settings } from "@/api/types";
import { Row } from "./Row";
import styles from "./settings.module.css";

type Wanted = Settings["emailAlerts"];

const MAILS: { name: keyof Wanted; label: string; about: string }[] = [
  {
    name: "limits",
    label: "About limits and spend",
    about: "When a limit is near or reached, and when a day costs far more than usual.",
  },
  { name: "plan", label: "About the plan", about: "When it changes, is about to end, or has ended." },
  {
    name: "security",
    label: "About security",
    about: "When somebody signs in from a place not known before, makes a key, reveals secrets and the like.",
  },
];

/** Which mails one wants. */
export function Mails({ wanted, onChange }: { wanted: Wanted; onChange: (wanted: Wanted) => void }) {
  return (
    <Row
      label="E-mails"
      about="What is told of limits and the plan stands under Alerts as well. None are sent where no mail server is set up."
    >
      {MAILS.map(({ name, label, about }) => (
        <Switch
          key={name}
          className={styles.mail}
          classNames={{ description: styles.about }}
          label={label}
          description={about}
          checked={wanted[name]}
          onChange={({ currentTarget: { checked } }) => onChange({ ...wanted, [name]: checked })}
        />
      ))}
    </Row>
  );
}
