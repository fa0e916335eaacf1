import { Modal } from "@mantine/core";
import { type ReactNode, useEffect } from "react";
import { useIsConfirming } from "@/api/confirmation";
import { useUnsaved } from "./useUnsaved";

interface DialogProps {
  title: string;
  onClose: () => void;
  size?: "md" | "lg";
  /** What is shown is shown once: only what it offers itself closes it. */
  isSticky?: boolean;
  /** What is typed in it is worth a question before it goes. */
  isForm?: boolean;
  children: ReactNode;
}

/** Once it is over, whoever comes by keyboard goes on where they were. */
function useWayBack() {
  useEffect(() => {
    const before = document.activeElement;
    return () => {
      if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    };
  }, []);
}

/** What is asked before something is done. While another asks who is there, this one waits behind it. */
export function Dialog({
  title,
  onClose,
  size = "md",
  isSticky = false,
  isForm = false,
  children,
}: DialogProps) {
  const isConfirming = useIsConfirming();
  const { typing, leave, isAsking, question } = useUnsaved(onClose);
  const isBehind = isConfirming || isAsking;
  useWayBack();
  return (
    <>
      <Modal
        opened
        onClose={isForm ? leave : onClose}
        title={title}
        size={size}
        closeOnEscape={!isBehind && !isSticky}
        closeOnClickOutside={!isBehind && !isSticky}
        trapFocus={!isBehind}
        withCloseButton={!isSticky}
        closeButtonProps={{ "aria-label": "Close" }}
      >
        <div {...typing}>{children}</div>
      </Modal>
      {question}
    </>
  );
}
