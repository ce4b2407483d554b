import { createContext } from 'react';

/** One operation of the repository's queries/ folder, as /queries.json tells it. */
export interface Example {
  readonly name: string;
  readonly comment: string | null;
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>> | null;
}

export type Kind = 'query' | 'mutation' | 'subscription';

export const ExampleContext = createContext<readonly Example[]>([]);

export async function loadExamples(): Promise<readonly Example[]> {
  try {
    const response = await fetch('/queries.json');
    return response.ok ? ((await response.json()) as readonly Example[]) : [];
  } catch {
    // The explorer is of use without examples too; the panel says that there are none.
    return [];
  }
}

export function kindOf({ query }: Example): Kind {
  const word = /^\s*(query|mutation|subscription)\b/m.exec(query)?.[1];
  return (word as Kind | undefined) ?? 'query';
}

/** "grant_access" reads as "Grant access". */
export function titleOf({ name }: Example): string {
  const words = name.replaceAll(/[_-]+/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function variablesText({ variables }: Example): string {
  return variables === null ? '' : JSON.stringify(variables, null, 2);
}
