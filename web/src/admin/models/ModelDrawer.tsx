import { Button, Drawer } from "@mantine/core";
import { useState } from "react";
import type { SeenModel } from "@/api/types";
import { Tag } from "@/shared/badges";
import { EmptyState } from "@/shared/EmptyState";
import { useIsCovered } from "@/shared/useIsCovered";
import { useUnsavedIn } from "@/shared/useUnsaved";
import { nameOf } from "@/usage/measure";
import styles from "./models.module.css";
import { OwnPrices } from "./OwnPrices";
import { PriceForm } from "./PriceForm";
import { KINDS, priceText, SOURCES } from "./prices";
import { Reprice } from "./Reprice";

interface ModelDrawerProps {
  model: SeenModel | undefined;
  /** One was asked for that is not there. */
  isMissing: boolean;
  onClose: () => void;
}

/** One model's prices, and what can be done about them. */
export function ModelDrawer({ model, isMissing, onClose }: ModelDrawerProps) {
  const isOpen = model !== undefined || isMissing;
  const isCovered = useIsCovered(isOpen);
  const [isTyped, setIsTyped] = useState(false);
  const { leave, question } = useUnsavedIn(isTyped, onClose, { isBeside: true });
  return (
    <>
      <Drawer
        opened={isOpen}
        onClose={leave}
        closeOnEscape={!isCovered}
        closeOnClickOutside={!isCovered}
        position="right"
        size="min(560px, 100%)"
        padding="lg"
        title={model === undefined ? "Model" : nameOf(model.model, "model")}
        closeButtonProps={{ "aria-label": "Close the model" }}
      >
        {isMissing && (
          <EmptyState
            title="There is no such model"
            action={
              <Button variant="default" size="xs" onClick={onClose}>
                To the list
              </Button>
            }
          >
            The address may be mistyped: no request named it, and it has no price of your own.
          </EmptyState>
        )}
        {model !== undefined && (
          <div className={styles.drawer} key={model.model}>
            <Current model={model} />
            <OwnPrices model={model.model} />
            <PriceForm model={model.model} onTyped={setIsTyped} />
            <Reprice model={model.model} />
          </div>
        )}
      </Drawer>
      {question}
    </>
  );
}

function Current({ model }: { model: SeenModel }) {
  const { prices, priceSource, provider } = model;
  return (
    <section>
      <h3>
        Price now{" "}
        <Tag
          {...(priceSource === "none" ? { tone: "warn" } : priceSource === "own" ? { tone: "accent" } : {})}
        >
          {SOURCES[priceSource]}
        </Tag>
      </h3>
      {prices === null ? (
        <p className={styles.soft}>
          Neither the public list nor you name a price. Set one below, then price its past requests anew.
        </p>
      ) : (
        <dl className={styles.prices}>
          {KINDS.filter(({ name }) => prices[name] !== null).map(({ name, label }) => (
            <div key={name}>
              <dt>{label}</dt>
              <dd>{priceText(prices[name])}</dd>
            </div>
          ))}
        </dl>
      )}
      {(provider !== null || model.tiered) && (
        <p className={styles.soft}>
          {provider !== null && `Provider: ${provider}. `}
          {model.tiered && "Long inputs cost more than this."}
        </p>
      )}
    </section>
  );
}
