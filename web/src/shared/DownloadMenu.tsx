import { Button, Menu } from "@mantine/core";
import { IconDown, IconDownload } from "./icons";

interface DownloadMenuProps {
  /** What the file is called, without its end. */
  name: string;
  address: (format: "csv" | "jsonl") => string;
  /** Which filters cannot be used, and why: then there is nothing to ask for. */
  fault: string | undefined;
}

/** Everything that matches, as a file. */
export function DownloadMenu({ name, address, fault }: DownloadMenuProps) {
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button
          variant="default"
          size="xs"
          disabled={fault !== undefined}
          title={fault}
          leftSection={<IconDownload />}
          rightSection={<IconDown size={12} />}
        >
          Download
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component="a" href={address("csv")} download={`${name}.csv`}>
          CSV, for spreadsheets
        </Menu.Item>
        <Menu.Item component="a" href={address("jsonl")} download={`${name}.jsonl`}>
          JSON lines, for programs
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
