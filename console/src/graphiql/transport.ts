import { createGraphiQLFetcher, type Fetcher } from '@graphiql/toolkit';
import { currentToken, report, type Problem } from './session';

const path = '/graphql';
const socketAddress = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${path}`;

function refusal(message: string, code: string): Response {
  return Response.json({ errors: [{ message, extensions: { code } }] });
}

function problemOf(status: number, codes: readonly unknown[]): Problem | null {
  if (status === 401 || codes.includes('UNAUTHENTICATED')) return currentToken() === null ? 'signed-out' : 'not-accepted';
  if (status === 403 || codes.includes('FORBIDDEN')) return 'forbidden';
  return null;
}

/** Sends one request with the token, and turns what is not a GraphQL answer into one that says what happened. */
async function send(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const token = currentToken();
  if (token !== null && !headers.has('Authorization')) headers.set('Authorization', `Bearer ${token}`);
  let response: Response;
  try {
    response = await fetch(input, { ...init, headers });
  } catch {
    report('unreachable');
    return refusal('The service does not answer. Is it still running?', 'UNREACHABLE');
  }
  const text = await response.text();
  let answer: { errors?: readonly { extensions?: { code?: unknown } }[] };
  try {
    answer = JSON.parse(text) as typeof answer;
  } catch {
    report(problemOf(response.status, []));
    return refusal(
      `The service answered with status ${response.status} and no GraphQL result: ${text.trim().slice(0, 300) || 'an empty body'}`,
      'NOT_A_GRAPHQL_RESULT',
    );
  }
  report(problemOf(response.status, answer.errors?.map((error) => error.extensions?.code) ?? []));
  return new Response(text, { status: response.status, headers: { 'Content-Type': 'application/json' } });
}

export const fetcher: Fetcher = createGraphiQLFetcher({
  url: path,
  subscriptionUrl: socketAddress,
  fetch: send,
  // Nothing here is sent in parts, and asking for parts would change the form of ordinary answers.
  enableIncrementalDelivery: false,
  // Read anew for each subscription, so that a later sign-in counts.
  get wsConnectionParams(): Record<string, string> {
    const token = currentToken();
    return token === null ? {} : { Authorization: `Bearer ${token}` };
  },
});
