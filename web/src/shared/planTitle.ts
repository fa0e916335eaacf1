/** What a plan is called wherever people read of it: the name by which the catalogue, the API and addresses know it, as a title. */
export const planTitle = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

/** Plans to choose from. */
export const planChoices = (names: string[]): { value: string; label: string }[] =>
  names.map((name) => ({ value: name, label: planTitle(name) }));
