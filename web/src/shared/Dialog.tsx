import { Modal } from "@mantine/core";
import type { ReactNode } from "react";
import { useIsConfirming } from "@/api/confirmation";
import { useIsCovered } from "./useIsCovered";
import { useUnsaved } from "./useUnsaved";
import { useWayBack } from "./useWayBack";

interface DialogProps {
  title: ReactNode;
  onClose: () => void;
  size?: "md" | "lg";
  /** What is shown is shown once: only what it offers itself closes it. */
  isSticky?: boolean;
  /** What is typed in it is worth a question before it goes. */
  isForm?: boolean;
  children: ReactNode;
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
  const { typing, leave, question } = useUnsaved(onClose, isForm);
  const isCovered = useIsCovered();
  const isBehind = isConfirming || isCovered;
  useWayBack();
  return (
    <>
      <Modal
        opened
        onClose={leave}
        title={title}
        size={size}
        closeOnEscape={!isBehind && !isSticky}
        closeOnClickOutside={!isBehind && !isSticky}
        trapFocus={!isConfirming}
        withCloseButton={!isSticky}
        closeButtonProps={{ "aria-label": "Close" }}
      >
        <div {...typing}>{children}</div>
      </Modal>
      {question}
    </>
  );
}
