/** The app speaks English, and so do its numbers and dates, whatever the browser speaks: half of a sentence would be neither. */

// One way for all: what is typed is read so too, and 1.234 must not be a thousand to one and a little to another.
export const NUMBERS = "en-US";

/** Of the English that a browser knows; it tells whether the day or the month comes first, and of 24 hours from 12. */
export const DATES = navigator.languages.find((each) => /^en(-|$)/.test(each)) ?? "en-US";
