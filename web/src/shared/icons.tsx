import type { ReactNode } from "react";

interface LinesProps {
  size?: number;
  children: ReactNode;
}

/** Line drawings of 16 by 16, in the colour of the text around them. They say nothing that is not also written. */
function Lines({ size = 16, children }: LinesProps) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.4"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {children}
    </svg>
  );
}

const drawing =
  (inside: ReactNode) =>
  ({ size = 16 }: { size?: number }) => <Lines size={size}>{inside}</Lines>;
const path = (d: string) => drawing(<path d={d} />);

export const IconOverview = path("M2.5 9.5v4M6.2 6v7.5M9.8 8v5.5M13.5 2.5v11");
export const IconRequests = path("M2.5 4h11M2.5 8h11M2.5 12h7");
export const IconSessions = path("M2.5 3.5h8v6h-5l-3 2.5zM13.5 6.5v7l-2.5-2h-4");
export const IconPlan = drawing(
  <>
    <rect x="2" y="3.5" width="12" height="9" rx="1.5" />
    <path d="M2 6.5h12M4.5 10h2.5" />
  </>,
);
export const IconAlerts = path("M4 10.8V7a4 4 0 0 1 8 0v3.8l1.2 1.4H2.8zM6.6 14.2h2.8");
export const IconMeter = path("M3.4 12.2a5.8 5.8 0 1 1 9.2 0M8 9.2l2.6-3.4M8 9.2h.01");
export const IconVariables = path(
  "M5.5 3C4 3 4 4 4 5.5S3.5 8 2.5 8C3.5 8 4 9 4 10.5S4 13 5.5 13M10.5 3C12 3 12 4 12 5.5s.5 2.5 1.5 2.5c-1 0-1.5 1-1.5 2.5s0 2.5-1.5 2.5",
);
export const IconSettings = path("M2 4.5h6M11.5 4.5H14M2 11.5h2.5M8 11.5h6M8 2.8v3.4M4.5 9.8v3.4");
export const IconUsers = drawing(
  <>
    <circle cx="6" cy="5.5" r="2.5" />
    <path d="M1.8 13.2c.3-2.4 2-3.7 4.2-3.7s3.9 1.3 4.2 3.7M10.8 3.2a2.5 2.5 0 0 1 0 4.6M12 9.9c1.3.5 2.1 1.6 2.3 3.3" />
  </>,
);
export const IconInvitations = drawing(
  <>
    <rect x="2" y="3.5" width="12" height="9" rx="1.5" />
    <path d="M2.3 4.5L8 9l5.7-4.5" />
  </>,
);
export const IconModels = path("M8 1.8l5.5 3.1v6.2L8 14.2l-5.5-3.1V4.9zM2.5 4.9L8 8l5.5-3.1M8 8v6.2");
export const IconSystem = drawing(
  <>
    <rect x="2" y="2.5" width="12" height="4.5" rx="1.2" />
    <rect x="2" y="9" width="12" height="4.5" rx="1.2" />
    <path d="M4.5 4.8h.01M4.5 11.3h.01" strokeWidth="1.8" />
  </>,
);
export const IconWebhooks = drawing(
  <>
    <circle cx="4" cy="11.5" r="2" />
    <circle cx="12" cy="11.5" r="2" />
    <circle cx="8" cy="4" r="2" />
    <path d="M6 11.5h4M7 5.8l-2.2 3.9M9 5.8l2.2 3.9" />
  </>,
);
export const IconGlobe = drawing(
  <>
    <circle cx="8" cy="8" r="6" />
    <path d="M2 8h12M8 2c2 1.8 2.7 3.8 2.7 6S10 12.2 8 14C6 12.2 5.3 10.2 5.3 8S6 3.8 8 2" />
  </>,
);
export const IconSearch = path("M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.4 10.4l3.1 3.1");
export const IconMenu = path("M2.5 4.5h11M2.5 8h11M2.5 11.5h11");
export const IconDown = path("M4.5 6.5L8 10l3.5-3.5");
export const IconRight = path("M6.5 4.5L10 8l-3.5 3.5");
export const IconSort = path("M5 6.3L8 3.3l3 3M5 9.7l3 3 3-3");
export const IconUp = path("M8 12.5v-9M4.5 7L8 3.5 11.5 7");
export const IconDownload = path("M8 2.5v7.5M4.8 7L8 10.2 11.2 7M2.5 13h11");
export const IconUpload = path("M8 10.2V2.7M4.8 5.9L8 2.7l3.2 3.2M2.5 13h11");
export const IconFilter = path("M2 4h12M4.5 8h7M6.8 12h2.4");
export const IconCopy = path("M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z");
export const IconCheck = path("M3 8.5l3.2 3.2L13 4.8");
export const IconEye = drawing(
  <>
    <path d="M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8z" />
    <circle cx="8" cy="8" r="2" />
  </>,
);
export const IconEyeOff = path(
  "M2.5 2.5l11 11M6.3 3.7C6.8 3.6 7.4 3.5 8 3.5c4 0 6.5 4.5 6.5 4.5s-.7 1.3-2 2.5M4.1 5C2.4 6.3 1.5 8 1.5 8S4 12.5 8 12.5c1.2 0 2.2-.4 3.1-.9",
);
export const IconEdit = path("M10.8 2.8l2.4 2.4L5.5 13l-3 .5.5-3z");
export const IconTrash = path("M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.6 9h6.8l.6-9");
export const IconPlus = path("M8 3v10M3 8h10");
export const IconClose = path("M3.8 3.8l8.4 8.4M12.2 3.8l-8.4 8.4");
export const IconMore = path("M3.5 8h.01M8 8h.01M12.5 8h.01");
export const IconSun = path(
  "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M12.6 3.4l-.7.7M4.1 11.9l-.7.7",
);
export const IconMoon = path("M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z");
export const IconWarning = path("M8 2.2L14.5 13.5h-13zM8 6.5v3.2M8 11.6v.01");
export const IconTable = path("M2.5 3h11v10h-11zM2.5 6.5h11M6.5 6.5V13");
export const IconChart = IconOverview;
export const IconStar = path("M8 2l1.8 3.8 4.2.5-3.1 2.9.8 4.1L8 11.3l-3.7 2 .8-4.1L2 6.3l4.2-.500z");
export const IconKey = path("M9.3 6.7a3 3 0 1 0-4.6 2.6 3 3 0 0 0 4.6-2.6zM9.3 6.7H14v2.5M11.8 6.7v2");
export const IconActivity = path("M1.8 8.5h2.7L6.3 3l3.4 10 1.8-4.5h2.7");
export const IconRotate = path("M13 8a5 5 0 1 1-1.5-3.6L13 6M13 2.8V6H9.8");
export const IconPasskey = drawing(
  <>
    <circle cx="6" cy="5" r="2.5" />
    <path d="M1.8 13.2c.3-2.6 2-4 4.2-4 .9 0 1.7.2 2.4.7" />
    <circle cx="11.8" cy="8.6" r="1.7" />
    <path d="M11.8 10.3v3.4l1.2-1M11.8 12.4" />
  </>,
);
