import { Button } from "@mantine/core";
import { useState } from "react";
import { useVariables } from "@/api/variables";
import { headOf } from "@/places";
import { EmptyState } from "@/shared/EmptyState";
import { IconPlus } from "@/shared/icons";
import { Loaded } from "@/shared/Loaded";
import { PageHeader } from "@/shared/PageHeader";
import { Panel } from "@/shared/Panel";
import { SkeletonRows } from "@/shared/SkeletonRows";
import { EditAsText } from "./EditAsText";
import { FileMenu } from "./FileMenu";
import { VariableEditor } from "./VariableEditor";
import { VariablesTable } from "./VariablesTable";

/** What one's apps are told: names and values, some of them secret. */
export function VariablesPage() {
  const variables = useVariables();
  const [isAdding, setIsAdding] = useState(false);
  /** The text that is edited: what there is, or what was imported beside it. */
  const [text, setText] = useState<{ start: string | null } | null>(null);
  return (
    <>
      <PageHeader {...headOf("/variables")}>
        <FileMenu
          variables={variables.data ?? []}
          onEdit={() => setText({ start: null })}
          onImport={(start) => setText({ start })}
        />
        <Button size="xs" leftSection={<IconPlus size={14} />} onClick={() => setIsAdding(true)}>
          New variable
        </Button>
      </PageHeader>
      <Panel flush>
        {isAdding && <VariableEditor onDone={() => setIsAdding(false)} />}
        <Loaded query={variables} skeleton={<SkeletonRows rows={5} />}>
          {(found) =>
            found.length > 0 ? (
              <VariablesTable variables={found} />
            ) : isAdding ? null : (
              <EmptyState title="No variables yet">
                Create the first one, or import a <code>.env</code> file.
              </EmptyState>
            )
          }
        </Loaded>
      </Panel>
      {text !== null && variables.data !== undefined && (
        <EditAsText known={variables.data} imported={text.start} onClose={() => setText(null)} />
      )}
    </>
  );
}
