/** Of texts that others wrote: what of them can be seen, and what would turn the words around them. */

// What takes no room or shows nothing: spaces, controls, marks of joining and of direction, fillers.
const UNSEEN = /^[\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]*$/u;
const letters = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Whether there is nothing to see in a text. */
export const isBlank = (text: string): boolean => UNSEEN.test(text);

/** What is said in the place of a text of which there is nothing to see. */
export const emptiness = (text: string): string => (text === "" ? "Empty" : "Blank");

/** The first letter, sign or picture of a text that can be seen, if any. */
export function firstSeen(text: string): string | undefined {
  for (const { segment } of letters.segment(text)) if (!isBlank(segment)) return segment;
  return undefined;
}

const FROM_RIGHT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
const TURNS = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;

/** A name within a title or a label, where no element can keep it apart: its own marks go, and it turns nothing else. */
export function apart(name: string): string {
  const plain = name.replace(TURNS, "");
  return FROM_RIGHT.test(plain) ? `\u2068${plain}\u2069` : plain;
}
