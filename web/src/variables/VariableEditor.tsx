import { Select, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import type { Variable, VariableType } from "@/api/types";
import { usePutVariable } from "@/api/variables";
import { Button } from "@/shared/Button";
import { ErrorState } from "@/shared/ErrorState";
import { faultAt } from "@/shared/typed";
import { isEscape, useUnsaved } from "@/shared/useUnsaved";
import { faultOfName } from "./faults";
import { Misread, readAs, TYPES } from "./values";
import styles from "./variables.module.css";

interface VariableEditorProps {
  /** The one that is edited; a new one is made without. */
  variable?: Variable;
  onDone: () => void;
}

/** The fields of one variable, in place. */
export function VariableEditor({ variable, onDone }: VariableEditorProps) {
  const isSecret = variable?.type === "secret";
  const put = usePutVariable();
  const [key, setKey] = useState(variable?.key ?? "");
  const [type, setType] = useState<VariableType>(variable?.type ?? "string");
  const [text, setText] = useState(variable === undefined || isSecret ? "" : variable.text);
  const [description, setDescription] = useState(variable?.description ?? "");
  const [misread, setMisread] = useState<string | null>(null);
  const [misnamed, setMisnamed] = useState<string>();
  const { typing, leave, question } = useUnsaved(onDone);
  const save = () => {
    setMisread(null);
    const name = key.trim();
    const amiss = faultOfName(name);
    setMisnamed(amiss);
    if (amiss !== undefined) return;
    try {
      const value = readAs(text, type);
      put.mutate({ key: name, type, value, description: description.trim() || null }, { onSuccess: onDone });
    } catch (error) {
      if (!(error instanceof Misread)) throw error;
      setMisread(error.message);
    }
  };
  return (
    <>
      <form
        className={styles.editor}
        noValidate
        aria-label={variable === undefined ? "New variable" : `Edit ${variable.key}`}
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
        onKeyDown={(event) => isEscape(event) && leave()}
        {...typing}
      >
        <div className={styles.fields}>
          <TextInput
            label="Name"
            required
            withAsterisk={false}
            placeholder="API_BASE"
            autoFocus={variable === undefined}
            readOnly={variable !== undefined}
            value={key}
            error={misnamed ?? faultAt(put.error, "key")}
            onChange={({ currentTarget }) => {
              setKey(currentTarget.value);
              setMisnamed(undefined);
              put.reset();
            }}
          />
          <Select
            label="Type"
            data={TYPES}
            allowDeselect={false}
            value={type}
            onChange={(chosen) => {
              setType((chosen ?? "string") as VariableType);
              setMisread(null);
              put.reset();
            }}
          />
        </div>
        <Textarea
          label="Value"
          autosize
          minRows={1}
          maxRows={10}
          autoFocus={variable !== undefined}
          placeholder={isSecret ? "Type the new secret" : undefined}
          classNames={{ input: styles.mono ?? "" }}
          value={text}
          error={misread ?? faultAt(put.error, "value")}
          onChange={({ currentTarget }) => {
            setText(currentTarget.value);
            setMisread(null);
            put.reset();
          }}
        />
        <TextInput
          label="Description"
          maxLength={2000}
          value={description}
          error={faultAt(put.error, "description")}
          onChange={({ currentTarget }) => {
            setDescription(currentTarget.value);
            put.reset();
          }}
        />
        {put.error !== null && put.error.faults.length === 0 && <ErrorState problem={put.error} />}
        <div className={styles.buttons}>
          <Button type="submit" size="xs" loading={put.isPending} disabled={isSecret && text === ""}>
            {variable === undefined ? "Create" : "Save"}
          </Button>
          <Button variant="default" size="xs" onClick={onDone}>
            Cancel
          </Button>
        </div>
      </form>
      {question}
    </>
  );
}
