import { useState } from "react";
import type { Variable } from "@/api/types";
import { Tag } from "@/shared/badges";
import { IconEdit } from "@/shared/icons";
import { RowAction, RowActions } from "@/shared/RowActions";
import { type Column, Table } from "@/shared/Table";
import { TimeAgo } from "@/shared/TimeAgo";
import { DeleteVariable } from "./DeleteVariable";
import { SecretValue } from "./SecretValue";
import { VariableEditor } from "./VariableEditor";
import { typeName } from "./values";
import styles from "./variables.module.css";

/** All variables; each is edited in its place. */
export function VariablesTable({ variables }: { variables: Variable[] }) {
  const [edited, setEdited] = useState<string | null>(null);
  return (
    <Table
      rows={variables}
      columns={columns(setEdited)}
      keyOf={({ key }) => key}
      className={styles.table}
      instead={(variable) =>
        variable.key === edited && <VariableEditor variable={variable} onDone={() => setEdited(null)} />
      }
    />
  );
}

const columns = (edit: (key: string) => void): Column<Variable>[] => [
  { label: "Name", of: (variable) => <Name of={variable} /> },
  {
    label: "Value",
    kind: "wide",
    of: (variable) =>
      variable.type === "secret" ? (
        <SecretValue name={variable.key} mask={variable.text} />
      ) : (
        <button
          type="button"
          className={styles.value}
          title={variable.text}
          onClick={() => edit(variable.key)}
        >
          <span className="visually-hidden">Edit {variable.key}: </span>
          <code>{variable.text || <i>empty</i>}</code>
        </button>
      ),
  },
  { label: "Type", of: ({ type }) => <Tag>{typeName(type)}</Tag> },
  { label: "Changed", kind: "number", isSoft: true, of: ({ updatedAt }) => <TimeAgo at={updatedAt} /> },
  {
    label: "Actions",
    heading: <span className="visually-hidden">Actions</span>,
    of: ({ key }) => <Actions of={key} onEdit={() => edit(key)} />,
  },
];

function Name({ of: { key, description } }: { of: Variable }) {
  return (
    <div className={styles.name}>
      <code title={key}>{key}</code>
      {description != null && description !== "" && <p className={styles.about}>{description}</p>}
    </div>
  );
}

function Actions({ of: name, onEdit }: { of: string; onEdit: () => void }) {
  return (
    <RowActions>
      <RowAction does="Edit" label={`Edit the variable ${name}`} onClick={onEdit}>
        <IconEdit />
      </RowAction>
      <DeleteVariable name={name} />
    </RowActions>
  );
}
