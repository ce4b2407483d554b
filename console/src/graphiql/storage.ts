import type { Storage } from '@graphiql/toolkit';

const PREFIX = 'client-access-manager:';

const ownKeys = (): string[] => Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));

/** GraphiQL's history keeps each operation's headers, whatever its setting for tabs says; a token may be in them. */
function withoutHeaders(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), (key, value: unknown) => (key === 'headers' ? null : value));
  } catch {
    // Not JSON: an operation's text, a size, a theme.
    return text;
  }
}

/** Tabs, history, sizes and theme of this page only, also when other services of the same host use GraphiQL. */
export const storage: Storage = {
  getItem: (key) => localStorage.getItem(PREFIX + key),
  setItem: (key, value) => {
    if (!key.endsWith(':headers')) localStorage.setItem(PREFIX + key, withoutHeaders(value));
  },
  removeItem: (key) => {
    localStorage.removeItem(PREFIX + key);
  },
  clear: () => {
    for (const key of ownKeys()) localStorage.removeItem(key);
  },
  get length() {
    return ownKeys().length;
  },
};
