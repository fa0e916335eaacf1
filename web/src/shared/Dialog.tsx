import { Modal } from "@mantine/core";
import type { ReactNode } from "react";
import { useIsConfirming } from "@/api/confirmation";

interface DialogProps {
  title: string;
  onClose: () => void;
  size?: "md" | "lg";
  /** What is shown is shown once: only what it offers itself closes it. */
  isSticky?: boolean;
  children: ReactNode;
}

/** What is asked before something is done. While another asks who is there, this one waits behind it. */
export function Dialog({ title, onClose, size = "md", isSticky = false, children }: DialogProps) {
  const isConfirming = useIsConfirming();
  return (
    <Modal
      opened
      onClose={onClose}
      title={title}
      size={size}
      closeOnEscape={!isConfirming && !isSticky}
      closeOnClickOutside={!isConfirming && !isSticky}
      trapFocus={!isConfirming}
      withCloseButton={!isSticky}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {children}
    </Modal>
  );
}
