import { Button, Modal } from "@mantine/core";
import { type KeyboardEvent, type ReactNode, useRef, useState } from "react";
import dialog from "./Dialog.module.css";
import { useIsCovered } from "./useIsCovered";
import { useWayBack } from "./useWayBack";

interface Unsaved {
  /** Goes around what is typed into. */
  typing: { onInput: () => void };
  /** Leaves at once where nothing was typed, else asks; what says so itself, as *Cancel*, leaves without it. */
  leave: () => void;
  question: ReactNode;
}

/** What somebody has typed is not lost by an Escape, or by a click beside it: first they are asked. */
export function useUnsaved(onClose: () => void): Unsaved {
  const isTyped = useRef(false);
  const [isAsking, setIsAsking] = useState(false);
  const typed = () => {
    isTyped.current = true;
  };
  return {
    typing: { onInput: typed },
    leave: () => (isTyped.current ? setIsAsking(true) : onClose()),
    question: isAsking && <Discard onStay={() => setIsAsking(false)} onDiscard={onClose} />,
  };
}

/** An Escape that is meant for a form: not for a list that is open in it, nor for what an input method composes. */
export const isEscape = ({ key, target, nativeEvent }: KeyboardEvent): boolean =>
  key === "Escape" &&
  !nativeEvent.isComposing &&
  !(target instanceof Element && target.getAttribute("data-mantine-stop-propagation") === "true");

function Discard({ onStay, onDiscard }: { onStay: () => void; onDiscard: () => void }) {
  useIsCovered();
  useWayBack();
  return (
    <Modal
      opened
      onClose={onStay}
      size="sm"
      zIndex={250}
      title="Discard what you typed?"
      withCloseButton={false}
    >
      <p>It is not saved yet.</p>
      <div className={dialog.buttons}>
        <Button size="xs" data-autofocus onClick={onStay}>
          Keep editing
        </Button>
        <Button size="xs" variant="default" onClick={onDiscard}>
          Discard
        </Button>
      </div>
    </Modal>
  );
}
