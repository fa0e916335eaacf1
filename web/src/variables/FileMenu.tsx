import { Button, Menu } from "@mantine/core";
import { useRef } from "react";
import { useAct } from "@/api/act";
import type { Variable } from "@/api/types";
import { asFile } from "@/api/variables";
import { Dialog } from "@/shared/Dialog";
import { ErrorState } from "@/shared/ErrorState";
import { IconDown } from "@/shared/icons";
import { saved } from "@/shared/saved";
import styles from "./variables.module.css";

interface FileMenuProps {
  variables: Variable[];
  onEdit: () => void;
  onImport: (text: string) => void;
}

/** All at once: as text, from a file, into a file. */
export function FileMenu({ variables, onEdit, onImport }: FileMenuProps) {
  const file = useRef<HTMLInputElement>(null);
  const secrets = variables.filter(({ type }) => type === "secret");
  const take = useAct({
    mutationFn: (withSecrets: boolean) => asFile(withSecrets),
    onSuccess: (file) => saved(file, "tollkeeper.env"),
  });
  // Whoever would rather not sign in again knows why nothing was exported.
  const problem = take.error?.slug === "sign-in-again" ? null : take.error;
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <Button variant="default" size="xs" rightSection={<IconDown size={12} />}>
            .env
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={onEdit}>Edit all as text</Menu.Item>
          <Menu.Item onClick={() => file.current?.click()}>Import a file …</Menu.Item>
          <Menu.Divider />
          <Menu.Item disabled={variables.length === secrets.length} onClick={() => take.mutate(false)}>
            Export without secrets
          </Menu.Item>
          {secrets.length > 0 && <Menu.Item onClick={() => take.mutate(true)}>Export with secrets</Menu.Item>}
        </Menu.Dropdown>
      </Menu>
      <input
        ref={file}
        className={styles.file}
        type="file"
        aria-label="A .env file to import"
        tabIndex={-1}
        onChange={async ({ currentTarget }) => {
          const chosen = currentTarget.files?.[0];
          if (chosen !== undefined) onImport(await chosen.text());
          currentTarget.value = "";
        }}
      />
      {problem !== null && (
        <Dialog title="Not exported" onClose={take.reset}>
          <ErrorState problem={problem} />
        </Dialog>
      )}
    </>
  );
}
