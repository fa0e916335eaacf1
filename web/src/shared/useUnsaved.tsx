import { Button, Modal } from "@mantine/core";
import { useBlocker } from "@tanstack/react-router";
import { type KeyboardEvent, type ReactNode, useCallback, useEffect, useRef, useState } from "react";
import { ending } from "@/api/ending";
import dialog from "./Dialog.module.css";
import { useIsCovered } from "./useIsCovered";
import { useWayBack } from "./useWayBack";

/** How it is asked before what is on the page goes with it. */
export interface Question {
  title: string;
  about: string;
  stay: string;
  go: string;
}

const TYPED: Question = {
  title: "Discard what you typed?",
  about: "It is not saved yet.",
  stay: "Keep editing",
  go: "Discard",
};

/** Whatever on the page holds something that is not saved: the first of them asks for all. */
const unsaved = new Map<object, Question>();

const first = (): [object, Question] | undefined => unsaved.entries().next().value;

interface Holding {
  question?: Question;
  /** It is in what is open beside a list, as `open` in the address: it goes when that is closed, too. */
  isBeside?: boolean;
}

/** While something is not saved, whoever leaves the page is asked first: by a link, by *Back*, by closing the window. */
export const useUnsavedOnPage = (isUnsaved: boolean, holding: Holding = {}): ReactNode =>
  useHeld(isUnsaved, holding).asks;

function useHeld(isUnsaved: boolean, { question = TYPED, isBeside = false }: Holding) {
  const own = useRef({}).current;
  const isLetGo = useRef(false);
  useEffect(() => {
    if (!isUnsaved) return;
    unsaved.set(own, question);
    return () => {
      unsaved.delete(own);
      isLetGo.current = false;
    };
  }, [isUnsaved, own, question]);
  const shouldBlockFn = useCallback(
    ({ current, next }: Leaving) => {
      if (isLetGo.current) return false;
      const isLeft = current.pathname !== next.pathname && first()?.[0] === own;
      return isLeft || (isBeside && openIn(current) !== openIn(next));
    },
    [own, isBeside],
  );
  const left = useBlocker({
    shouldBlockFn,
    enableBeforeUnload: isHeld,
    disabled: !isUnsaved,
    withResolver: true,
  });
  const asks = left.status === "blocked" && (
    <Ask question={question} onStay={left.reset} onGo={left.proceed} />
  );
  const letGo = () => {
    isLetGo.current = true;
  };
  return { asks, letGo };
}

interface Leaving {
  current: Place;
  next: Place;
}

interface Place {
  pathname: string;
  search: object;
}

const openIn = ({ search }: Place): unknown => "open" in search && search.open;

/** Nothing of somebody stays on the screen because they have typed something, once their sign-in has ended. */
const isHeld = (): boolean => !ending.isUnderWay;

interface Closing {
  /** Leaves at once where nothing was typed, else asks; what says so itself, as *Cancel*, leaves without it. */
  leave: () => void;
  question: ReactNode;
}

/** What is not saved is not lost as one closes what it is in: first one is asked. */
export function useUnsavedIn(isUnsaved: boolean, onClose: () => void, holding: Holding = {}): Closing {
  const [isAsking, setIsAsking] = useState(false);
  const { asks, letGo } = useHeld(isUnsaved, holding);
  const go = () => {
    letGo();
    setIsAsking(false);
    onClose();
  };
  return {
    leave: () => (isUnsaved ? setIsAsking(true) : onClose()),
    question: isAsking ? <Ask question={TYPED} onStay={() => setIsAsking(false)} onGo={go} /> : asks,
  };
}

interface Unsaved extends Closing {
  /** Goes around what is typed into. */
  typing: { onInput: () => void };
}

/** What somebody has typed is not lost by an Escape, by a click beside it, or with the page: first they are asked. */
export function useUnsaved(onClose: () => void, isForm = true): Unsaved {
  const [isTyped, setIsTyped] = useState(false);
  // What was typed into a form is saved once that has given way to what came of it.
  const closing = useUnsavedIn(isTyped && isForm, onClose);
  return { ...closing, typing: { onInput: () => setIsTyped(true) } };
}

/** What ends the sign-in leaves every page: where something on this one is not saved, one is asked first. */
export function useLeaving(leave: () => void): Closing {
  const [question, setQuestion] = useState<Question>();
  const go = () => {
    setQuestion(undefined);
    leave();
  };
  return {
    leave: () => {
      const held = first();
      if (held === undefined) leave();
      else setQuestion(held[1]);
    },
    question: question && <Ask question={question} onStay={() => setQuestion(undefined)} onGo={go} />,
  };
}

/** An Escape that is meant for a form: not for a list that is open in it, nor for what an input method composes. */
export const isEscape = ({ key, target, nativeEvent }: KeyboardEvent): boolean =>
  key === "Escape" &&
  !nativeEvent.isComposing &&
  !(target instanceof Element && target.getAttribute("data-mantine-stop-propagation") === "true");

interface AskProps {
  question: Question;
  onStay: () => void;
  onGo: () => void;
}

function Ask({ question: { title, about, stay, go }, onStay, onGo }: AskProps) {
  useIsCovered();
  useWayBack();
  return (
    <Modal opened onClose={onStay} size="sm" zIndex={250} title={title} withCloseButton={false}>
      <p>{about}</p>
      <div className={dialog.buttons}>
        <Button size="xs" data-autofocus onClick={onStay}>
          {stay}
        </Button>
        <Button size="xs" variant="default" onClick={onGo}>
          {go}
        </Button>
      </div>
    </Modal>
  );
}
