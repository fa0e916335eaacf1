import { Modal } from "@mantine/core";
import { type ReactNode, useEffect } from "react";
import { useIsConfirming } from "@/api/confirmation";

interface DialogProps {
  title: ReactNode;
  onClose: () => void;
  size?: "md" | "lg";
  /** What is shown is shown once: only what it offers itself closes it. */
  isSticky?: boolean;
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
export function Dialog({ title, onClose, size = "md", isSticky = false, children }: DialogProps) {
  const isConfirming = useIsConfirming();
  useWayBack();
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
