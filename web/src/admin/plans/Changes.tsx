import type { FieldChange } from "@/api/types";
import difference from "@/shared/Difference.module.css";
import { currenciesOf, labelOf, valueWords } from "./words";

interface ChangesProps {
  title: string;
  changes: FieldChange[];
  /** In which the plan is sold where that does not change. */
  currency: string;
  /** There was nothing before. */
  isNew?: boolean;
}

/** What differs, field by field. */
export function Changes({ title, changes, currency, isNew = false }: ChangesProps) {
  const { before, after } = currenciesOf(changes, currency);
  if (changes.length === 0) return null;
  return (
    <table className={difference.table} data-words>
      <caption>{title}</caption>
      <thead>
        <tr>
          <td />
          {!isNew && <th scope="col">Before</th>}
          <th scope="col">{isNew ? "Is" : "After"}</th>
        </tr>
      </thead>
      <tbody>
        {changes.map(({ field, old, new: now }) => (
          <tr key={field}>
            <th scope="row">{labelOf(field)}</th>
            {!isNew && <td>{valueWords(field, old, before)}</td>}
            <td>{valueWords(field, now, after)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
