import './worker';
import { explorerPlugin } from '@graphiql/plugin-explorer';
import '@graphiql/plugin-explorer/style.css';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import 'graphiql/style.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Brand } from './brand';
import { ExampleContext, loadExamples, variablesText } from './example';
import { examplePlugin } from './example-panel';
import { Notice } from './notice';
import './page.css';
import { signInPlugin } from './sign-in-panel';
import { storage } from './storage';
import { fetcher } from './transport';

const FIRST_TABS = 4;
const WELCOME = `# The API of Client Access Manager.
# Sign in with an API token (the key on the left), then open one of the examples,
# or write an operation here: Ctrl-Space completes, Ctrl-Enter runs it.

`;

const plugins = [signInPlugin, examplePlugin, HISTORY_PLUGIN, explorerPlugin({ showAttribution: false })];
const examples = await loadExamples();
const firstTabs = examples.slice(0, FIRST_TABS).map((example) => ({ query: example.query, variables: variablesText(example) }));

const root = document.getElementById('page');
if (root === null) throw new Error('the page has no element with the id "page"');

createRoot(root).render(
  <StrictMode>
    <ExampleContext value={examples}>
      <GraphiQL
        fetcher={fetcher}
        storage={storage}
        plugins={plugins}
        visiblePlugin={signInPlugin}
        defaultQuery={WELCOME}
        {...(firstTabs.length > 0 ? { defaultTabs: firstTabs } : {})}
        defaultEditorToolsVisibility="variables"
        shouldPersistHeaders={false}
        schemaDescription
        inputValueDeprecation
      >
        <GraphiQL.Logo>
          <Brand />
        </GraphiQL.Logo>
        <GraphiQL.Footer>
          <Notice />
        </GraphiQL.Footer>
      </GraphiQL>
    </ExampleContext>
  </StrictMode>,
);
