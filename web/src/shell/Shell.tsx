import { Drawer } from "@mantine/core";
import { Outlet, useRouterState } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { useAccount } from "@/api/account";
import { useIsConfirming } from "@/api/confirmation";
import { useLiveDashboard } from "@/api/dashboard";
import { useEndWithOtherTabs } from "@/api/ending";
import type { Account } from "@/api/types";
import type { Status } from "@/live/stream";
import { ErrorState } from "@/shared/ErrorState";
import { ActingBanner } from "./ActingBanner";
import { Brand } from "./Brand";
import { LiveSign } from "./LiveSign";
import { Navigation } from "./Navigation";
import styles from "./Shell.module.css";
import { TopBar } from "./TopBar";
import { useKeptTheme } from "./useKeptTheme";

const ConfirmItIsYou = lazy(async () => ({
  default: (await import("@/confirm/ConfirmItIsYou")).ConfirmItIsYou,
}));

/** What is around every page. */
export function Shell() {
  const account = useAccount();
  if (account.data !== undefined) return <SignedIn account={account.data} />;
  if (account.error !== null)
    return (
      <main className="frame-lost">
        <ErrorState problem={account.error} retry={() => void account.refetch()} />
      </main>
    );
  return <Frame account={undefined} live="connecting" />;
}

function SignedIn({ account }: { account: Account }) {
  const live = useLiveDashboard(account.id);
  useKeptTheme();
  useEndWithOtherTabs();
  return <Frame account={account} live={live} />;
}

function Frame({ account, live }: { account: Account | undefined; live: Status }) {
  const [isOpen, setIsOpen] = useState(false);
  const main = useFocusOnNewPage();
  const isConfirming = useIsConfirming();
  const navigation = <Navigation account={account} onChosen={() => setIsOpen(false)} />;
  return (
    <div className="frame">
      <a className={styles.skip} href="#main">
        Skip to the content
      </a>
      <TopBar onMenu={() => setIsOpen(true)} live={live} />
      <aside className="frame-side" aria-label="Sidebar">
        <div className="frame-brand">
          <Brand />
          <LiveSign status={live} />
        </div>
        {navigation}
      </aside>
      <Drawer opened={isOpen} onClose={() => setIsOpen(false)} size={280} title={<Brand />} padding="md">
        {navigation}
      </Drawer>
      <main id="main" ref={main} tabIndex={-1} className="frame-main">
        {account?.actingAs != null && <ActingBanner account={account} />}
        <div className="frame-page">{account !== undefined && <Outlet />}</div>
      </main>
      {isConfirming && (
        <Suspense fallback={null}>
          <ConfirmItIsYou />
        </Suspense>
      )}
    </div>
  );
}

/** Another page is read from its beginning, by keyboards and screen readers too. */
function useFocusOnNewPage() {
  const main = useRef<HTMLElement>(null);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const shown = useRef(path);
  useEffect(() => {
    if (shown.current !== path) main.current?.focus({ preventScroll: true });
    shown.current = path;
  }, [path]);
  return main;
}
