import {
  type CSSVariablesResolver,
  createTheme,
  defaultVariantColorsResolver,
  localStorageColorSchemeManager,
} from "@mantine/core";

/** What is pressed to do something: its text is readable on it in both themes, which the library's is not. */
const filled = (tone: "accent" | "bad") => ({
  background: `var(--${tone})`,
  hover: `color-mix(in srgb, var(--${tone}) 88%, var(--ink))`,
  color: `var(--on-${tone})`,
});

/** The library's colours, so that its parts look like ours. */
export const theme = createTheme({
  primaryColor: "toll",
  primaryShade: { light: 7, dark: 3 },
  variantColorResolver: (asked) => ({
    ...defaultVariantColorsResolver(asked),
    ...(asked.variant === "filled" ? filled(asked.color === "red" ? "bad" : "accent") : {}),
  }),
  respectReducedMotion: true,
  cursorType: "pointer",
  defaultRadius: 8,
  fontFamily:
    'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif',
  fontFamilyMonospace: "var(--mono)",
  fontSizes: { xs: "0.75rem", sm: "0.8125rem", md: "0.875rem", lg: "1rem", xl: "1.125rem" },
  black: "#1c1c1a",
  colors: {
    toll: [
      "#eaf6f2",
      "#d3ebe4",
      "#a6d8c9",
      "#6cc5aa",
      "#47ab90",
      "#2f8f76",
      "#267f68",
      "#1f6f5b",
      "#185948",
      "#114436",
    ],
    gray: [
      "#fafaf9",
      "#f3f2ef",
      "#e7e6e2",
      "#d3d2cc",
      "#d3d2cc",
      "#a3a29a",
      "#62625c",
      "#52524d",
      "#3b3b37",
      "#1c1c1a",
    ],
    dark: [
      "#ededea",
      "#c9c9c4",
      "#a0a098",
      "#86867f",
      "#3a3c3a",
      "#292b29",
      "#171817",
      "#101110",
      "#0c0d0c",
      "#080908",
    ],
  },
  components: {
    Menu: { defaultProps: { withinPortal: false, withInitialFocusPlaceholder: false } },
    Tooltip: {
      defaultProps: {
        withArrow: false,
        openDelay: 300,
        transitionProps: { duration: 80 },
        events: { hover: true, focus: true, touch: true },
      },
    },
    Select: { defaultProps: { checkIconPosition: "right" } },
    Modal: { defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.3 } } },
    Drawer: { defaultProps: { overlayProps: { backgroundOpacity: 0.3 } } },
  },
});

export const variables: CSSVariablesResolver = () => {
  const both = {
    "--mantine-color-body": "var(--card)",
    "--mantine-color-text": "var(--ink)",
    "--mantine-color-dimmed": "var(--soft)",
    "--mantine-color-placeholder": "var(--soft)",
    "--mantine-color-default": "var(--card)",
    "--mantine-color-default-hover": "var(--raised)",
    "--mantine-color-default-border": "var(--edge)",
    "--mantine-color-error": "var(--bad)",
    "--mantine-color-anchor": "var(--accent)",
    "--mantine-color-disabled": "var(--line)",
  };
  return { variables: {}, light: both, dark: both };
};

export type Theme = "light" | "dark" | "auto";

/** Where index.html looks before anything is painted. The service keeps it too, for other browsers. */
const THEME_KEY = "tollkeeper.theme";

export const colorSchemes = localStorageColorSchemeManager({ key: THEME_KEY });
