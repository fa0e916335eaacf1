import { Button } from "@mantine/core";
import dialog from "@/shared/Dialog.module.css";

/** Sign in anew by GitHub: it leads away, and back to this page. */
export function ByGitHub() {
  const here = encodeURIComponent(location.pathname + location.search);
  return (
    <div className={dialog.other}>
      <p className={dialog.about}>
        Or by GitHub, which leads you back to this page. What you were about to do is then to be begun again.
      </p>
      <Button component="a" href={`/sign-in/github?next=${here}`} size="xs" variant="default">
        Use GitHub
      </Button>
    </div>
  );
}
