import { useSyncExternalStore } from 'react';

/** Why the service did not answer an operation, as far as a person can do something about it. */
export type Problem = 'signed-out' | 'not-accepted' | 'forbidden' | 'unreachable';

/** Who is signed in on this page. The token is in this module's memory only: a reload forgets it. */
export interface Session {
  readonly token: string | null;
  readonly name: string | null;
  readonly email: string | null;
  readonly scopes: readonly string[];
  readonly problem: Problem | null;
}

const NOBODY: Session = { token: null, name: null, email: null, scopes: [], problem: null };

let session = NOBODY;
const listeners = new Set<() => void>();

function update(next: Session): void {
  session = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const currentToken = (): string | null => session.token;

export const useSession = (): Session => useSyncExternalStore(subscribe, () => session);

export function report(problem: Problem | null): void {
  if (session.problem !== problem) update({ ...session, problem });
}

export function signOut(): void {
  update(NOBODY);
}

interface ViewerAnswer {
  data?: {
    viewer?: { user?: { name?: string | null; email?: string | null } | null; scopes?: readonly string[] | null } | null;
  } | null;
}

const WHO_AM_I = 'query WhoAmI { viewer { user { name email } scopes } }';

/** Signs in with a pasted token if the service accepts it; otherwise returns what is wrong with it. */
export async function signIn(pasted: string): Promise<string | null> {
  const token = pasted.trim().replace(/^Bearer\s+/i, '');
  if (token === '') return 'Paste a token first.';
  // Anything else cannot stand in a header, so the browser would refuse to send it.
  if (!/^[\x21-\x7e]+$/.test(token)) return 'This is not a token: a token is one word of letters, digits, “_” and “-”.';
  let response: Response;
  try {
    response = await fetch('/graphql', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json', Authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: WHO_AM_I, operationName: 'WhoAmI' }),
    });
  } catch {
    return 'The service does not answer. Is it still running?';
  }
  const answer = (await response.json().catch(() => null)) as ViewerAnswer | null;
  const viewer = answer?.data?.viewer;
  if (viewer) {
    update({ token, name: viewer.user?.name ?? null, email: viewer.user?.email ?? null, scopes: viewer.scopes ?? [], problem: null });
    return null;
  }
  if (response.status >= 500) return `The service could not check the token (status ${response.status}). Try again in a moment.`;
  return 'The service does not accept this token. It may be mistyped, expired or revoked.';
}
