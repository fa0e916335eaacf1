import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { EmptyState } from "@/shared/EmptyState";
import { PageHeader } from "@/shared/PageHeader";

/** A page of operators, opened by somebody who is none. */
export function ForOperatorsPage() {
  return (
    <>
      <PageHeader title="For operators" />
      <EmptyState
        title="This page is for operators"
        action={
          <Button component={Link} to="/" variant="default" size="xs">
            To the overview
          </Button>
        }
      >
        Here those who run this service look after its users. What is yours is on your own pages.
      </EmptyState>
    </>
  );
}
