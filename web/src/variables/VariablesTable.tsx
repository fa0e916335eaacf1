import { ActionIcon, Tooltip } from "@mantine/core";
import { useState } from "react";
import type { Variable } from "@/api/types";
import { Tag } from "@/shared/badges";
import { IconEdit } from "@/shared/icons";
import table from "@/shared/Table.module.css";
import { TimeAgo } from "@/shared/TimeAgo";
import { DeleteVariable } from "./DeleteVariable";
import { SecretValue } from "./SecretValue";
import { VariableEditor } from "./VariableEditor";
import { textOf, typeName } from "./values";
import styles from "./variables.module.css";

/** All variables; each is edited in its place. */
export function VariablesTable({ variables }: { variables: Variable[] }) {
  const [edited, setEdited] = useState<string | null>(null);
  return (
    <div className={table.wrap}>
      <table className={`${table.table} ${styles.table}`}>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Value</th>
            <th scope="col">Type</th>
            <th scope="col" data-number>
              Changed
            </th>
            <th scope="col">
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {variables.map((variable) =>
            variable.key === edited ? (
              <tr key={variable.key}>
                <td colSpan={5} className={styles.editing}>
                  <VariableEditor variable={variable} onDone={() => setEdited(null)} />
                </td>
              </tr>
            ) : (
              <Row key={variable.key} variable={variable} onEdit={() => setEdited(variable.key)} />
            ),
          )}
        </tbody>
      </table>
    </div>
  );
}

function Row({ variable, onEdit }: { variable: Variable; onEdit: () => void }) {
  const { key, type, description, updatedAt } = variable;
  return (
    <tr>
      <td className={styles.name}>
        <code>{key}</code>
        {description != null && description !== "" && <p className={styles.about}>{description}</p>}
      </td>
      <td data-wide>
        {type === "secret" ? (
          <SecretValue name={key} mask={String(variable.value)} />
        ) : (
          <button type="button" className={styles.value} onClick={onEdit}>
            <span className="visually-hidden">Edit {key}: </span>
            <code>{textOf(variable) || <i>empty</i>}</code>
          </button>
        )}
      </td>
      <td>
        <Tag>{typeName(type)}</Tag>
      </td>
      <td data-number data-soft>
        <TimeAgo at={updatedAt} />
      </td>
      <td className={styles.actions}>
        <Tooltip label="Edit">
          <ActionIcon variant="subtle" color="gray" aria-label={`Edit the variable ${key}`} onClick={onEdit}>
            <IconEdit />
          </ActionIcon>
        </Tooltip>
        <DeleteVariable name={key} />
      </td>
    </tr>
  );
}
