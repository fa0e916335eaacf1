// Browsers resolve "." and "..", however they are escaped: in a path a mark goes before them, as the service expects it.
const DOTS = /^~*\.\.?$/;
const MARKED_DOTS = /^~+\.\.?$/;

/** What stands for a text as one part of a path, not yet escaped. */
export const marked = (text: string): string => (DOTS.test(text) ? `~${text}` : text);

/** The text for which a part of a path stands. */
export const unmarked = (part: string): string => (MARKED_DOTS.test(part) ? part.slice(1) : part);

/** A text as one part of a path. */
export const segment = (text: string): string => encodeURIComponent(marked(text));
