import { useGraphiQLActions } from '@graphiql/react';
import { report, useSession, type Problem } from './session';
import { signInPlugin } from './sign-in-panel';

const TEXT: Record<Problem, string> = {
  'signed-out': 'This operation needs to know who you are: sign in with an API token first.',
  'not-accepted': 'The service no longer accepts your token: it has expired or was revoked. Sign in with a fresh one.',
  forbidden: 'You are signed in, but this person or this token may not do that. A change needs a token with the scope “write”.',
  unreachable: 'The service does not answer. Check that it is still running, then run the operation again.',
};

/** Says below the result, in words, why the service refused and what to do about it. */
export function Notice() {
  const { problem } = useSession();
  const { setVisiblePlugin } = useGraphiQLActions();
  return (
    <div className="cam-notice" role="status">
      {problem !== null && (
        <div className="cam-notice-box">
          <p>{TEXT[problem]}</p>
          {problem !== 'unreachable' && (
            <button
              type="button"
              className="cam-button cam-primary"
              onClick={() => {
                setVisiblePlugin(signInPlugin);
              }}
            >
              {problem === 'forbidden' ? 'Use another token' : 'Sign in'}
            </button>
          )}
          <button
            type="button"
            className="cam-close"
            aria-label="Close this notice"
            onClick={() => {
              report(null);
            }}
          >
            ×
          </button>
        </div>
      )}
    </div>
  );
}
