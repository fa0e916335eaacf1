import { Button, Modal } from "@mantine/core";
import { useBlocker } from "@tanstack/react-router";
import { type KeyboardEvent, type ReactNode, useCallback, useEffect, useRef, useState } from "react";
import { ending } from "@/api/ending";
import dialog from "./Dialog.module.css";
import { useIsCovered } from "./useIsCovered";
import { useWayBack } from "./useWayBack";

/** Whatever on the page holds something that is not saved: the first of them asks for all. */
const unsaved = new Set<object>();

/** While something is not saved, whoever leaves the page is asked first: by a link, by *Back*, by closing the window. */
export function useUnsavedOnPage(isUnsaved: boolean): ReactNode {
  const own = useRef({}).current;
  useEffect(() => {
    if (!isUnsaved) return;
    unsaved.add(own);
    return () => void unsaved.delete(own);
  }, [isUnsaved, own]);
  const shouldBlockFn = useCallback(
    ({ current, next }: Leaving) =>
      current.pathname !== next.pathname && unsaved.values().next().value === own,
    [own],
  );
  const left = useBlocker({
    shouldBlockFn,
    enableBeforeUnload: isHeld,
    disabled: !isUnsaved,
    withResolver: true,
  });
  return left.status === "blocked" && <Discard onStay={left.reset} onDiscard={left.proceed} />;
}

interface Leaving {
  current: { pathname: string };
  next: { pathname: string };
}

/** Nothing of somebody stays on the screen because they have typed something, once their sign-in has ended. */
const isHeld = (): boolean => !ending.isUnderWay;

interface Unsaved {
  /** Goes around what is typed into. */
  typing: { onInput: () => void };
  /** Leaves at once where nothing was typed, else asks; what says so itself, as *Cancel*, leaves without it. */
  leave: () => void;
  question: ReactNode;
}

/** What somebody has typed is not lost by an Escape, by a click beside it, or with the page: first they are asked. */
export function useUnsaved(onClose: () => void, isForm = true): Unsaved {
  const [isTyped, setIsTyped] = useState(false);
  const [isAsking, setIsAsking] = useState(false);
  // What was typed into a form is saved once that has given way to what came of it.
  const isUnsaved = isTyped && isForm;
  const ofPage = useUnsavedOnPage(isUnsaved);
  return {
    typing: { onInput: () => setIsTyped(true) },
    leave: () => (isUnsaved ? setIsAsking(true) : onClose()),
    question: isAsking ? <Discard onStay={() => setIsAsking(false)} onDiscard={onClose} /> : ofPage,
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
