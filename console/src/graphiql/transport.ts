import { createGraphiQLFetcher, type Fetcher, type FetcherParams } from '@graphiql/toolkit';
import { getOperationAST, GraphQLError, OperationTypeNode, type DocumentNode, type ExecutionResult } from 'graphql';
import { createClient } from 'graphql-ws';
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

const ask: Fetcher = createGraphiQLFetcher({
  url: path,
  fetch: send,
  // Nothing here is sent in parts, and asking for parts would change the form of ordinary answers.
  enableIncrementalDelivery: false,
});

const socket = createClient({
  url: socketAddress,
  // Asked anew for each connection, and a connection lives no longer than its subscriptions: a later sign-in counts.
  connectionParams: () => {
    const token = currentToken();
    return token === null ? {} : { Authorization: `Bearer ${token}` };
  },
});

function isSubscription(documentAST: DocumentNode | undefined, operationName: string | null | undefined): boolean {
  const operation = documentAST && getOperationAST(documentAST, operationName);
  return operation?.operation === OperationTypeNode.SUBSCRIPTION;
}

type Answer = ExecutionResult<Record<string, unknown>, Record<string, unknown>>;

const codesOf = ({ errors }: Answer): unknown[] => errors?.map((error) => error.extensions?.['code']) ?? [];

function lost(problem: unknown): GraphQLError {
  const reason = problem instanceof CloseEvent ? problem.reason : '';
  const message = reason === '' ? 'The connection to the service was lost. Is it still running?' : `The service ended the connection: ${reason}`;
  return new GraphQLError(message, { extensions: { code: 'UNREACHABLE' } });
}

/** The answers to a subscription; a refusal or a lost connection is its last answer, told like that of a request. */
async function* follow({ query, variables, operationName }: FetcherParams): AsyncGenerator<Answer, void> {
  try {
    const request = { query, variables: variables as Record<string, unknown> | null | undefined, operationName };
    for await (const answer of socket.iterate(request)) {
      report(problemOf(0, codesOf(answer as Answer)));
      yield answer as Answer;
    }
  } catch (problem) {
    const errors = Array.isArray(problem) ? (problem as GraphQLError[]) : [lost(problem)];
    report(Array.isArray(problem) ? problemOf(0, codesOf({ errors })) : 'unreachable');
    yield { errors };
  }
}

export const fetcher: Fetcher = (parameters, options) =>
  isSubscription(options?.documentAST, parameters.operationName) ? follow(parameters) : ask(parameters, options);
