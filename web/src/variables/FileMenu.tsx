import { Button, Menu } from "@mantine/core";
import { useRef } from "react";
import type { Variable } from "@/api/types";
import { reveal } from "@/api/variables";
import { IconDown } from "@/shared/icons";
import { asDotenv } from "./dotenv";
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
  const exportAll = async () => {
    const shown = await Promise.all(
      variables.map(async (each) =>
        each.type === "secret" ? { ...each, value: await reveal(each.key) } : each,
      ),
    );
    download(asDotenv(shown));
  };
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
          <Menu.Item
            disabled={variables.length === secrets.length}
            onClick={() => download(asDotenv(variables.filter(({ type }) => type !== "secret")))}
          >
            Export without secrets
          </Menu.Item>
          {secrets.length > 0 && <Menu.Item onClick={() => void exportAll()}>Export with secrets</Menu.Item>}
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
    </>
  );
}

function download(text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  const link = Object.assign(document.createElement("a"), { href: address, download: "tollkeeper.env" });
  link.click();
  URL.revokeObjectURL(address);
}
