import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { EmptyState } from "@/shared/EmptyState";
import { PageHeader } from "@/shared/PageHeader";

interface DeadEndProps {
  title: string;
  /** What is so, in a line; the children say more. */
  said: string;
  children: ReactNode;
}

/** A page from which one only goes back. */
export function DeadEnd({ title, said, children }: DeadEndProps) {
  return (
    <>
      <PageHeader title={title} />
      <EmptyState
        title={said}
        action={
          <Button component={Link} to="/" variant="default" size="xs">
            To the overview
          </Button>
        }
      >
        {children}
      </EmptyState>
    </>
  );
}
