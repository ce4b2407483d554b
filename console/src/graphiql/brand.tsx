import { pick, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useEffect } from 'react';
import icon from './icon.svg';
import { useSession } from './session';
import { signInPlugin } from './sign-in-panel';

/** Keeps the editors' colours in step with the system while the page is open; GraphiQL itself looks only once. */
function useSystemTheme(): void {
  const { theme } = useGraphiQL(pick('theme'));
  const { setTheme } = useGraphiQLActions();
  useEffect(() => {
    if (theme !== null) return undefined;
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const follow = (): void => {
      setTheme(null);
    };
    dark.addEventListener('change', follow);
    return () => {
      dark.removeEventListener('change', follow);
    };
  }, [theme, setTheme]);
}

/** The product's name, and who is signed in; it opens the sign-in panel. */
export function Brand() {
  useSystemTheme();
  const session = useSession();
  const { setVisiblePlugin } = useGraphiQLActions();
  const signedIn = session.token !== null;
  return (
    <div className="cam-brand">
      <img src={icon} alt="" width="20" height="20" />
      <h1>Client Access Manager</h1>
      <button
        type="button"
        className={signedIn ? 'cam-who cam-who-known' : 'cam-who'}
        onClick={() => {
          setVisiblePlugin(signInPlugin);
        }}
      >
        {signedIn ? (session.name ?? 'Signed in') : 'Sign in'}
      </button>
    </div>
  );
}
