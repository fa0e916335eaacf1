import { Modal } from "@mantine/core";
import { useState } from "react";
import { useDeleteVariable } from "@/api/variables";
import { Button } from "@/shared/Button";
import { ErrorState } from "@/shared/ErrorState";
import { IconTrash } from "@/shared/icons";
import { RowAction } from "@/shared/RowActions";
import styles from "./variables.module.css";

/** Asks first: what is gone is gone. */
export function DeleteVariable({ name }: { name: string }) {
  const [isAsking, setIsAsking] = useState(false);
  const remove = useDeleteVariable();
  return (
    <>
      <RowAction does="Delete" label={`Delete ${name}`} onClick={() => setIsAsking(true)}>
        <IconTrash />
      </RowAction>
      <Modal
        opened={isAsking}
        onClose={() => setIsAsking(false)}
        title={`Delete ${name}?`}
        closeButtonProps={{ "aria-label": "Close" }}
      >
        <p>Apps that read it will no longer find it. This cannot be undone.</p>
        {remove.error !== null && <ErrorState problem={remove.error} />}
        <div className={styles.buttons} data-apart>
          <Button color="red" size="xs" loading={remove.isPending} onClick={() => remove.mutate(name)}>
            Delete
          </Button>
          <Button variant="default" size="xs" onClick={() => setIsAsking(false)}>
            Cancel
          </Button>
        </div>
      </Modal>
    </>
  );
}
