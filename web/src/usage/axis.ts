/** As wide as what stands at it: amounts of money and durations may be long. */
export const Y_AXIS = {
  width: "auto",
  tickMargin: 4,
  // Not moved aside, as the library has it: that would not be counted in.
  tick: { fontSize: 12, fill: "currentColor" },
} as const;
