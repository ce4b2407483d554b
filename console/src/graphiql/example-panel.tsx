import { pick, useGraphiQL, useGraphiQLActions, type GraphiQLPlugin } from '@graphiql/react';
import { Kind, parse, type DocumentNode, type OperationDefinitionNode } from 'graphql';
import { use, useId, useState } from 'react';
import { ExampleContext, kindOf, titleOf, variablesText, type Example } from './example';

function matches(example: Example, words: readonly string[]): boolean {
  const text = `${titleOf(example)} ${example.name} ${example.comment ?? ''} ${kindOf(example)}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function factsOf({ query }: Example): { documentAST?: DocumentNode; operations?: OperationDefinitionNode[]; operationName?: string } {
  let documentAST: DocumentNode;
  try {
    documentAST = parse(query);
  } catch {
    return {};
  }
  const operations = documentAST.definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
  const operationName = operations[0]?.name?.value;
  return { documentAST, operations, ...(operationName === undefined ? {} : { operationName }) };
}

function ExamplePanel() {
  const examples = use(ExampleContext);
  const { addTab, updateActiveTabValues, setOperationFacts } = useGraphiQLActions();
  const { queryEditor, variableEditor } = useGraphiQL(pick('queryEditor', 'variableEditor'));
  const [search, setSearch] = useState('');
  const searchId = useId();
  const shown = examples.filter((example) => matches(example, search.toLowerCase().split(/\s+/)));

  function open(example: Example): void {
    const variables = variablesText(example);
    addTab();
    queryEditor?.setValue(example.query);
    variableEditor?.setValue(variables);
    // The editor notes these a moment later only; somebody who presses play at once would send the tab before's name.
    const facts = factsOf(example);
    updateActiveTabValues({ query: example.query, variables, operationName: facts.operationName ?? null });
    setOperationFacts(facts);
    queryEditor?.focus();
  }

  return (
    <section className="cam-panel" aria-labelledby={`${searchId}-title`}>
      <h2 id={`${searchId}-title`}>Examples</h2>
      <p className="cam-lead">Ready operations. A click opens one in a new tab; nothing runs until you press play.</p>
      {examples.length > 0 && (
        <input
          type="search"
          id={searchId}
          aria-label="Search the examples"
          placeholder="Search"
          autoComplete="off"
          value={search}
          onChange={(event) => {
            setSearch(event.target.value);
          }}
        />
      )}
      <p className="cam-count" role="status">
        {examples.length === 0
          ? 'This service offers no examples.'
          : shown.length === 0
            ? `None of the ${examples.length} examples matches “${search}”.`
            : ''}
      </p>
      <ul className="cam-examples">
        {shown.map((example) => (
          <li key={example.name}>
            <button
              type="button"
              onClick={() => {
                open(example);
              }}
            >
              <span className="cam-example-head">
                <span className="cam-example-title">{titleOf(example)}</span>
                <span className={`cam-kind cam-kind-${kindOf(example)}`}>{kindOf(example)}</span>
              </span>
              {example.comment !== null && <span className="cam-example-comment">{example.comment}</span>}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function ExampleIcon() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d="M4 5.5A1.5 1.5 0 0 1 5.5 4H11v16H5.5A1.5 1.5 0 0 1 4 18.5zM13 4h5.5A1.5 1.5 0 0 1 20 5.5v13a1.5 1.5 0 0 1-1.5 1.5H13z" />
      <path d="M6.8 8h1.7M6.8 11h1.7M15.5 8h1.7M15.5 11h1.7" />
    </svg>
  );
}

export const examplePlugin: GraphiQLPlugin = { title: 'Examples', icon: ExampleIcon, content: ExamplePanel };
