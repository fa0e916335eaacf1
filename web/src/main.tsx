import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { client } from "./api/client";
import { readKnown } from "./early";
import { router } from "./router";
import "./shell/mantine.css";
import "./shell/tokens.css";
import "./shell/frame.css";
import "./shell/contrast.css";
import "./shell/forced.css";
import "./shell/print.css";
import { colorSchemes, theme, variables } from "./shell/theme";

// The policy lets in only styles that carry this answer's nonce; two libraries make some.
const nonce = document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? "";
setNonce(nonce);

readKnown();
const place = document.getElementById("root");
if (place === null) throw new Error("index.html lacks its root");
const root = createRoot(place);

// The frame that came with the page stands until the page itself is there.
void router.load().finally(() =>
  root.render(
    <StrictMode>
      <MantineProvider
        theme={theme}
        cssVariablesResolver={variables}
        colorSchemeManager={colorSchemes}
        defaultColorScheme="auto"
        getStyleNonce={() => nonce}
      >
        <QueryClientProvider client={client}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  ),
);
