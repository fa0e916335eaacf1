import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { EmptyState } from "@/shared/EmptyState";
import { PageHeader } from "@/shared/PageHeader";

interface DeadEndProps {
  title: string;
  /** What is so, in a line; the children say more. */
  said: string;
  /** Where one goes back to. */
  to?: "/" | "/sessions" | "/admin/users" | "/admin/webhooks";
  way?: string;
  /** What else can be done than to go there. */
  action?: ReactNode;
  children: ReactNode;
}

/** A page from which one only goes back. */
export function DeadEnd({ title, said, to = "/", way = "To the overview", action, children }: DeadEndProps) {
  return (
    <>
      <PageHeader title={title} />
      <EmptyState
        title={said}
        action={
          action ?? (
            <Button component={Link} to={to} variant="default" size="xs">
              {way}
            </Button>
          )
        }
      >
        {children}
      </EmptyState>
    </>
  );
}
