import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { EmptyState } from "@/shared/EmptyState";
import { PageHeader } from "@/shared/PageHeader";

/** There is no such page. */
export function NotFoundPage() {
  return (
    <>
      <PageHeader title="Not found" />
      <EmptyState
        title="There is nothing here"
        action={
          <Button component={Link} to="/" variant="default" size="xs">
            To the overview
          </Button>
        }
      >
        The address may be mistyped, or what was here is gone.
      </EmptyState>
    </>
  );
}
