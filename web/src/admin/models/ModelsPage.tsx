import { SegmentedControl } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useModels } from "@/api/admin";
import { headOf } from "@/places";
import { EmptyState } from "@/shared/EmptyState";
import { Loaded } from "@/shared/Loaded";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { useClosing } from "@/shared/useClosing";
import { ModelDrawer } from "./ModelDrawer";
import { ModelsTable } from "./ModelsTable";
import { type ModelsShown, modelsShown } from "./shown";

const SHOWN = [
  { value: "", label: "All" },
  { value: "none", label: "Without a price" },
  { value: "own", label: "Own price" },
  { value: "list", label: "Public list" },
];

/** Which models were seen, and how they are priced. */
export function ModelsPage() {
  const models = useModels();
  const { price = "", open } = modelsShown(useSearch({ strict: false }));
  const navigate = useNavigate();
  const show = (changes: ModelsShown, replace = false) =>
    void navigate({
      to: ".",
      search: ((before: ModelsShown) => ({ ...before, ...changes })) as never,
      replace,
      resetScroll: false,
    });
  const close = useClosing(() => show({ open: "" }, true));
  const opened = models.data?.find(({ model }) => model === open);
  return (
    <>
      <PageHeader {...headOf("/admin/models")}>
        <SegmentedControl
          size="xs"
          aria-label="Which models"
          value={price}
          data={SHOWN}
          onChange={(chosen) => show({ price: chosen })}
        />
      </PageHeader>
      <Panel flush>
        <Loaded query={models} skeleton={<SkeletonRows rows={10} />}>
          {(found) => {
            const shown = price === "" ? found : found.filter(({ priceSource }) => priceSource === price);
            return shown.length === 0 ? (
              <EmptyState title={price === "none" ? "Every model has a price" : "No such model"}>
                Models appear with the first request that names them.
              </EmptyState>
            ) : (
              <ModelsTable models={shown} />
            );
          }}
        </Loaded>
      </Panel>
      <ModelDrawer
        model={opened}
        isMissing={open !== undefined && models.data !== undefined && opened === undefined}
        onClose={close}
      />
    </>
  );
}
