import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { LicenceCollector } from './script/licence.ts';

const licences = new LicenceCollector(import.meta.dirname);

// Assets live under a path of their own, so that the service can mark them as immutable; the page is served at /graphql.
export default defineConfig({
  base: '/console/',
  plugins: [react(), licences.collect(), licences.write('THIRD_PARTY.txt')],
  worker: { format: 'es', plugins: () => [licences.collect()] },
  build: {
    target: 'es2022',
    sourcemap: false,
    chunkSizeWarningLimit: 2500,
    rolldownOptions: {
      input: 'graphiql.html',
      onwarn(warning, warn) {
        // Hints of upstream's sources to the React compiler, which has already run on them.
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
      },
    },
  },
  server: {
    host: '127.0.0.1',
    proxy: {
      '/graphql': { target: 'http://127.0.0.1:8000', ws: true },
      '/queries.json': 'http://127.0.0.1:8000',
    },
  },
});
