import { Button, Menu } from "@mantine/core";
import { downloadAddress, type RequestFilters } from "@/api/requests";
import { IconDown, IconDownload } from "@/shared/icons";

/** Everything that matches, as a file. */
export function DownloadMenu({ filters, userId }: { filters: RequestFilters; userId?: string }) {
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button
          variant="default"
          size="xs"
          leftSection={<IconDownload />}
          rightSection={<IconDown size={12} />}
        >
          Download
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component="a" href={downloadAddress(filters, "csv", userId)} download="requests.csv">
          CSV, for spreadsheets
        </Menu.Item>
        <Menu.Item component="a" href={downloadAddress(filters, "jsonl", userId)} download="requests.jsonl">
          JSON lines, for programs
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
