import { useGraphiQLActions, type GraphiQLPlugin } from '@graphiql/react';
import { useId, useRef, useState, type FormEvent } from 'react';
import { examplePlugin } from './example-panel';
import { signIn, signOut, useSession, type Session } from './session';

function SignedIn({ session }: { session: Session }) {
  const { setVisiblePlugin } = useGraphiQLActions();
  return (
    <>
      <div className="cam-card">
        <p className="cam-name">{session.name ?? 'Signed in'}</p>
        {session.email !== null && <p className="cam-email">{session.email}</p>}
        {session.scopes.length > 0 && (
          <p className="cam-scopes">
            This token may{' '}
            {session.scopes.map((scope) => (
              <span className="cam-scope" key={scope}>
                {scope.toLowerCase()}
              </span>
            ))}
          </p>
        )}
      </div>
      <p>Every operation you run now is sent with this token, on this page only. Reloading the page forgets it.</p>
      <div className="cam-actions">
        <button
          type="button"
          className="cam-button cam-primary"
          onClick={() => {
            setVisiblePlugin(examplePlugin);
          }}
        >
          Browse the examples
        </button>
        <button type="button" className="cam-button" onClick={signOut}>
          Sign out
        </button>
      </div>
    </>
  );
}

function TokenForm() {
  const [error, setError] = useState<string | null>(null);
  const [checking, setChecking] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const id = useId();

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    if (checking) return;
    setChecking(true);
    setError(null);
    const wrong = await signIn(field.current?.value ?? '');
    setChecking(false);
    setError(wrong);
    if (wrong !== null) field.current?.focus();
  }

  return (
    <>
      <form
        className="cam-form"
        onSubmit={(event) => {
          void submit(event);
        }}
      >
        <label htmlFor={id}>API token</label>
        {/* A text field with hidden letters: browsers offer to keep what is typed into a password field. */}
        <input
          ref={field}
          id={id}
          className="cam-token"
          type="text"
          placeholder="cam_…"
          autoComplete="off"
          autoCapitalize="off"
          autoCorrect="off"
          spellCheck={false}
          aria-invalid={error !== null}
          aria-describedby={`${id}-error ${id}-where`}
        />
        <p id={`${id}-error`} className="cam-error" role="alert">
          {error}
        </p>
        <button type="submit" className="cam-button cam-primary" aria-disabled={checking}>
          {checking ? 'Checking …' : 'Sign in'}
        </button>
      </form>
      <div id={`${id}-where`} className="cam-where">
        <h3>Where to get a token</h3>
        <ul>
          <li>
            On the demo service: <code>make run</code> prints one for each demo person when it starts.
          </li>
          <li>
            For anybody else, on the machine of the service:
            <pre tabIndex={0} aria-label="Command that makes a token">
              cam token create \{'\n'}  --email you@example.com \{'\n'}  --scope read \{'\n'}  --scope write
            </pre>
          </li>
        </ul>
        <h3>What happens with it</h3>
        <p>
          It stays in the memory of this page and is sent only to this service. It is not written to the browser’s storage, so reloading the
          page signs you out.
        </p>
        <p>Without a token you can read the schema and the permission catalogue.</p>
      </div>
    </>
  );
}

function SignInPanel() {
  const session = useSession();
  const id = useId();
  return (
    <section className="cam-panel" aria-labelledby={id}>
      <h2 id={id}>{session.token === null ? 'Sign in' : 'Signed in'}</h2>
      {session.token === null ? <TokenForm /> : <SignedIn session={session} />}
    </section>
  );
}

function KeyIcon() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <circle cx="8" cy="8" r="4.25" />
      <path d="m11.2 11.2 8.3 8.3m-3.5-3.5 2.25-2.25m.25 4.75 1.5-1.5" />
    </svg>
  );
}

export const signInPlugin: GraphiQLPlugin = { title: 'Sign in', icon: KeyIcon, content: SignInPanel };
