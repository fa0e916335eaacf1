import { DeadEnd } from "./DeadEnd";

/** A page of operators, opened by somebody who is none. */
export function ForOperatorsPage() {
  return (
    <DeadEnd title="For operators" said="This page is for operators">
      Here those who run this service look after its users. What is yours is on your own pages.
    </DeadEnd>
  );
}
